/** What the parts of the broker need of a logger; pino's own shape. Never a secret, never a spec, in any field. */
export type Log = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** For tests and tools that have nowhere to write. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
