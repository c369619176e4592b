import { defineConfig } from 'tsup'
import { allBut, packageOptions } from '../../tsup.base.ts'

export default defineConfig([
  packageOptions({
    entry: { index: 'src/index.ts', cli: 'src/cli.ts', 'block-worker': 'src/block/block-worker.ts' },
    clean: allBut('worker'),
  }),
  // What runs packets is one module: V8 folds a constant that it sees defined, and loads and checks one that is imported
  // at every use. `linux` stays a package.
  packageOptions({
    entry: { worker: 'src/threads/worker.ts' },
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: allBut('index', 'cli', 'block-worker', 'chunk-*'),
  }),
])
