import { defineConfig } from 'tsup'
import { allBut, packageOptions, sources } from '../../tsup.base.ts'
import { withoutHooks } from './without-hooks.ts'

const COMMAND = ['index', 'cli', 'core-worker', 'plugin-code', 'chunk-*', 'main-*']
const CELLS = ['cell', 'testpmd-cell', 'peer-cell', 'driver-thread']
const WITHOUT_HOOKS = ['cell-without-hooks']

export default defineConfig([
  packageOptions({
    entry: {
      index: 'src/index.ts',
      cli: 'src/cli.ts',
      'core-worker': 'src/placement/core-worker.ts',
      'plugin-code': 'src/plugin-code/plugin-code.ts',
    },
    clean: allBut(...CELLS, ...WITHOUT_HOOKS),
  }),
  // What runs packets is one module: V8 folds a constant that it sees defined, and loads and checks one that is imported
  // at every use, twice a packet and more. `linux` stays a package: it is called a few times a second.
  packageOptions({
    entry: {
      cell: 'src/cell/cell.ts',
      'testpmd-cell': 'src/cell/testpmd-cell.ts',
      'peer-cell': 'src/cell/peer-cell.ts',
      'driver-thread': 'src/in-process/driver-thread.ts',
    },
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: allBut(...COMMAND, ...WITHOUT_HOOKS),
  }),
  // The same without hooks, from the packages' sources: what `--sweep hooks=0,1` compares.
  packageOptions({
    entry: { 'cell-without-hooks': 'src/cell/cell.ts' },
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: allBut(...COMMAND, ...CELLS),
    esbuildPlugins: [withoutHooks()],
    esbuildOptions: (esbuild) => {
      sources(esbuild)
      esbuild.conditions = ['@vring/source']
    },
  }),
])
