import { vringPackage } from '../../tsup.base.ts'

export default vringPackage({
  entry: ['src/index.ts', 'src/cli.ts', 'src/cell.ts', 'src/testpmd-cell.ts', 'src/driver-thread.ts'],
})
