import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What payloads leave behind: one line at their start and one at their end, appended by themselves. Tests count these lines,
 * never what Switchyard believes.
 */
export class Ledger {
  readonly file: string;

  constructor(dir: string, name = 'ledger') {
    this.file = join(dir, `${name}.txt`);
  }

  /** A script that says when it starts, runs `body`, and says when it ends. */
  script(body = ':'): string {
    const say = (word: string) =>
      `printf '%s %s %s %s %s\\n' ${word} "$YARD_JOB_NUMBER" "$YARD_TASK_INDEX" "$YARD_CLUSTER" "$(date +%s%N)" >> '${this.file}'`;
    return `#!/bin/bash\n${say('start')}\n${body}\ncode=$?\n${say('end')}\nexit $code\n`;
  }

  lines(): LedgerLine[] {
    let text = '';
    try {
      text = readFileSync(this.file, 'utf8');
    } catch {
      return [];
    }
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [word, number, task, cluster, at] = line.split(' ');
        return { word: word!, number: Number(number), task: Number(task), cluster: cluster!, atNs: BigInt(at!) };
      });
  }

  /** How often each payload started, by `number` or `number.task`. */
  starts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const line of this.lines()) {
      if (line.word !== 'start') continue;
      const key = `${line.number}.${line.task}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  startedTwice(): string[] {
    return [...this.starts()].filter(([, times]) => times > 1).map(([key]) => key);
  }

  startsPerCluster(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const line of this.lines()) {
      if (line.word === 'start') counts.set(line.cluster, (counts.get(line.cluster) ?? 0) + 1);
    }
    return counts;
  }

  /** The largest number of payloads that ran at the same time. */
  mostAtOnce(): number {
    const lines = this.lines().sort((left, right) => (left.atNs < right.atNs ? -1 : left.atNs > right.atNs ? 1 : 0));
    let now = 0;
    let most = 0;
    for (const line of lines) {
      now += line.word === 'start' ? 1 : -1;
      most = Math.max(most, now);
    }
    return most;
  }
}

type LedgerLine = { word: string; number: number; task: number; cluster: string; atNs: bigint };
