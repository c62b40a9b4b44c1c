/** What an image is made of and started with, by the last stage of its Dockerfile. */
export type Dockerfile = {
  readonly from: readonly string[];
  /** `COPY SOURCE… TARGET` of the last stage, options left out. */
  readonly copies: readonly { readonly sources: readonly string[]; readonly target: string }[];
  readonly user: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
};

/** Reads the plain kind of Dockerfile that this project has: one instruction a line, commands as JSON lists. */
export function readDockerfile(text: string): Dockerfile {
  const lines = text.split('\n').filter((line) => /^[A-Z]+ /.test(line));
  const instructions = lines.map((line) => ({ name: line.split(' ', 1)[0]!, rest: line.replace(/^[A-Z]+ +/, '') }));
  const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
  const all = (wanted: string) => last.filter(({ name }) => name === wanted).map(({ rest }) => rest);
  return {
    from: instructions.filter(({ name }) => name === 'FROM').map(({ rest }) => rest.split(' ', 1)[0]!),
    copies: all('COPY').map((rest) => {
      const words = rest.split(/ +/).filter((word) => !word.startsWith('--'));
      return { sources: words.slice(0, -1), target: words.at(-1)! };
    }),
    user: all('USER').at(-1) ?? '',
    workdir: all('WORKDIR').at(-1) ?? '/',
    env: Object.fromEntries(all('ENV').flatMap((rest) => rest.split(/ +/).map((pair) => pair.split('=', 2)))),
    entrypoint: JSON.parse(all('ENTRYPOINT').at(-1) ?? '[]'),
    command: JSON.parse(all('CMD').at(-1) ?? '[]'),
  };
}
