import { cpSync } from 'node:fs'
import { vringPackage } from '../../tsup.base.ts'

export default vringPackage({
  entry: ['src/cli.ts'],
  // The template of an accessor is a package of this repository, compiled and tested there.
  async onSuccess() {
    cpSync('../accessor-template/src', 'templates/accessor', { recursive: true })
  },
})
