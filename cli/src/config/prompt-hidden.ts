import { StringDecoder } from 'node:string_decoder';
import { EXIT } from '../exit-code.ts';
import { Failure } from '../failure.ts';
import type { Io } from '../io.ts';

/** Asks on the terminal and shows nothing of what is typed. */
export function promptHidden({ stdin, stderr }: Io, question: string): Promise<string> {
  // First: what is typed at once must not be shown either.
  stdin.setRawMode?.(true);
  stderr.write(question);
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let typed = '';
    const finish = (settle: () => void) => {
      stdin.off('data', onData).off('end', onEnd);
      stdin.setRawMode?.(false);
      stdin.pause();
      stderr.write('\n');
      settle();
    };
    const onEnd = () => finish(() => resolve(typed));
    const onData = (chunk: Uint8Array) => {
      for (const character of decoder.write(Buffer.from(chunk))) {
        if (character === '\r' || character === '\n' || character === '\u0004') return finish(() => resolve(typed));
        if (character === '\u0003')
          return finish(() => reject(new Failure('Interrupted.', { exitCode: EXIT.interrupted })));
        if (character === '\u007f' || character === '\b') typed = typed.slice(0, -1);
        else typed += character;
      }
    };
    stdin.on('data', onData).on('end', onEnd);
    stdin.resume();
  });
}
