export type EmbeddedPostgres = {
  /** URL of the database `switchyard` as the unprivileged login `switchyard`. */
  readonly url: string;
  stop(): Promise<void>;
};

/** Starts the PostgreSQL of the npm registry on a private port, its data in `<dataDir>/postgres`. */
export function startEmbeddedPostgres(_options: {
  dataDir: string;
  onLog?: (line: string) => void;
}): Promise<EmbeddedPostgres> {
  throw new Error('not yet');
}
