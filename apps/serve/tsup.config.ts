import { defineConfig } from 'tsup'
import { allBut, packageOptions } from '../../tsup.base.ts'

export default defineConfig([
  packageOptions({ entry: ['src/index.ts', 'src/cli.ts', 'src/block-worker.ts'], clean: allBut('worker') }),
  // What runs packets is one module: V8 folds a constant that it sees defined, and loads and checks one that is imported
  // at every use. `linux` stays a package.
  packageOptions({
    entry: ['src/worker.ts'],
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: allBut('index', 'cli', 'block-worker', 'chunk-*'),
  }),
])
