import { defineConfig } from 'tsup'
import { packageOptions, sources } from '../../tsup.base.ts'
import { withoutHooks } from './without-hooks.ts'

export default defineConfig([
  packageOptions({
    entry: { index: 'src/index.ts', cli: 'src/cli.ts', 'core-worker': 'src/placement/core-worker.ts' },
    clean: ['index.js*', 'cli.js*', 'core-worker.js*', 'chunk-*.js*'],
  }),
  // What runs packets is one module: V8 folds a constant that it sees defined, and loads and checks one that is imported
  // at every use, twice a packet and more. `linux` stays a package: it is called a few times a second.
  packageOptions({
    entry: ['src/cell.ts', 'src/testpmd-cell.ts', 'src/peer-cell.ts', 'src/driver-thread.ts'],
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: ['cell.js*', 'testpmd-cell.js*', 'peer-cell.js*', 'driver-thread.js*'],
  }),
  // The same without hooks, from the packages' sources: what `--sweep hooks=0,1` compares.
  packageOptions({
    entry: { 'cell-without-hooks': 'src/cell.ts' },
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: ['cell-without-hooks.js*'],
    esbuildPlugins: [withoutHooks()],
    esbuildOptions: (esbuild) => {
      sources(esbuild)
      esbuild.conditions = ['@vring/source']
    },
  }),
])
