/** One live session of a cluster; the newest epoch wins. Every function that takes one gives null (or false) once a newer one has begun. */
export type Session = { readonly cluster: string; readonly sessionEpoch: number };
