import { vringPackage } from '../../tsup.base.ts'

export default vringPackage({
  entry: {
    index: 'src/index.ts',
    'machine-code': 'src/machine-code.ts',
    'watched-process': 'src/watched/watched-process.ts',
    'watched-thread': 'src/watched/watched-thread.ts',
  },
})
