import { vringPackage } from '../../tsup.base.ts'

export default vringPackage()
