import { vringPackage } from '../../tsup.base.ts'

export default vringPackage({
  entry: {
    index: 'src/index.ts',
    'machine-code': 'src/machine-code/machine-code.ts',
    'watched-process': 'src/processes/watched-process.ts',
    'watched-thread': 'src/processes/watched-thread.ts',
  },
})
