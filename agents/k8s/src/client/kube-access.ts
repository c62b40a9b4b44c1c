/** Where the API server is and how to prove who asks: what a kubeconfig context or a service account resolves to. */
export type KubeAccess = {
  readonly server: URL;
  readonly context: string;
  /** Namespace of the context or of the service account, if it names one. */
  readonly namespace: string | undefined;
  readonly tls: {
    readonly ca?: Buffer | undefined;
    readonly cert?: Buffer | string | undefined;
    readonly key?: Buffer | string | undefined;
    readonly servername?: string | undefined;
    readonly rejectUnauthorized?: boolean | undefined;
  };
  readonly proxyUrl: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** When the credentials end; read again before. */
  readonly expiresAtMs: number | undefined;
  /** Read to make this; a change of any of them means reading again. */
  readonly files: readonly string[];
};
