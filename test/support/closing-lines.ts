import type { Reporter, TestModule } from 'vitest/node';
import { realBackends } from './real-backends.ts';

/** The last lines of every test run: which real backends were used, which were skipped and why, and the plain count. */
export default class ClosingLines implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      // A hook that failed fails no test by itself, and must not read as passed.
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === 'passed') count.passed += 1;
        else if (state === 'failed') count.failed += 1;
        else count.skipped += 1;
      }
    }
    const backends = realBackends();
    const lines = backends.map(
      (backend) => `  ${backend.ok ? '✔ used   ' : '– skipped'} ${backend.name.padEnd(11)} ${backend.note}`,
    );
    const missing = backends.filter((backend) => !backend.ok);
    if (process.env['CI'] === 'true' && (missing.length > 0 || count.skipped > 0)) {
      lines.push(
        `  In CI every real backend is needed and no test may be skipped: ${count.skipped} skipped, missing: ${missing.map((each) => each.name).join(', ') || 'none'}.`,
      );
      count.failed += 1;
      process.exitCode = 1;
    }
    process.stdout.write(
      `\nReal backends\n${lines.join('\n')}\n\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`,
    );
  }
}
