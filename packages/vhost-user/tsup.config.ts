import { vringPackage } from '../../tsup.base.ts'

export default vringPackage({ entry: ['src/index.ts', 'src/protocol.ts'] })
