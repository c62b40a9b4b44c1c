import { defineConfig } from 'vitest/config';

/** Clusters with a network and control groups of their own, which leave room for a second one on two processors. */
const kubernetes = ['test/k8s/**/*.test.ts', 'test/world/{kube-*,kueue-*,mixed-*}.test.ts'];
const everywhere = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-lines.ts'],
    globalSetup: ['./test/support/postgres.ts'],
    experimental: { viteModuleRunner: false },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{core,broker,agents,cli}/**/*.test.ts'],
          exclude: everywhere,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'world',
          include: ['test/**/*.test.ts'],
          exclude: [...everywhere, ...kubernetes],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'kubernetes',
          include: kubernetes,
          exclude: everywhere,
          testTimeout: 600_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
