/** Sentences for whoever runs the agent. */
export type Log = {
  info(sentence: string): void;
  warn(sentence: string): void;
  error(sentence: string): void;
};

/** One line each, with time and level, on standard error: what an init system keeps. */
export function lineLog(write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const say = (level: string) => (sentence: string) =>
    write(`${new Date().toISOString()} ${level} ${sentence.replaceAll('\n', ' ')}\n`);
  return { info: say('info'), warn: say('warn'), error: say('error') };
}
