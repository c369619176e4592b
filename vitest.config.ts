import { defineConfig } from 'vitest/config'

const conditions = ['@vring/source', 'node', 'import', 'module', 'default']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'apps/*/test/**/*.test.ts',
      'test/**/*.test.ts',
      'fuzz/**/*.test.ts',
      'faults/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.interop.test.ts'],
    testTimeout: 60_000,
    // A shared machine stalls a process for seconds; what fails twice is a failure.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    maxWorkers: 2,
  },
})
