/** One thing that is wrong with a spec: where (`/resources/walltimeSeconds`, '' for the whole), what, and what to do. */
export type SpecProblem = { readonly path: string; readonly message: string; readonly hint?: string };
