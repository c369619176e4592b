import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** Real drivers and real devices: root, huge pages and Debian packages. One file at a time: they own cores 0 and 1. */
export default defineConfig({
  ...base,
  test: {
    include: ['packages/**/*.interop.test.ts', 'apps/**/*.interop.test.ts', 'test/**/*.interop.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    retry: process.env['CI'] === 'true' ? 2 : 0,
    fileParallelism: false,
  },
})
