import { defineConfig } from 'tsup'
import { packageOptions } from '../../tsup.base.ts'

export default defineConfig([
  packageOptions({ entry: ['src/index.ts', 'src/cli.ts'], clean: ['index.js*', 'cli.js*', 'chunk-*.js*'] }),
  // What runs packets is one module: V8 folds a constant that it sees defined, and loads and checks one that is imported
  // at every use, twice a packet and more. `linux` stays a package: it is called a few times a second.
  packageOptions({
    entry: ['src/cell.ts', 'src/testpmd-cell.ts', 'src/driver-thread.ts'],
    noExternal: [/^@vring\/(?!linux$)/],
    splitting: false,
    clean: ['cell.js*', 'testpmd-cell.js*', 'driver-thread.js*'],
  }),
])
