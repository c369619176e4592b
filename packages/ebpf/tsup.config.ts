import { vringPackage } from '../../tsup.base.ts'

export default vringPackage({
  entry: { index: 'src/index.ts', linux: 'src/linux.ts', 'cli/vring-ebpf': 'src/cli/vring-ebpf.ts' },
})
