import { readObject } from '@vring/ebpf'
import { isVringError } from '@vring/layout'
import { loadEbpf, XdpContext } from '@vring/xdp'
import { fixturesOf } from '../engine/fixtures.ts'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const BYTES_MAX = 5500

export const target: FuzzTarget = {
  name: 'ebpf-object',
  description: 'an ELF object: it is read and its programs load and run, or it is refused; nothing else is thrown',
  unit: 'objects',
  maxBytes: BYTES_MAX,
  seeds: fixturesOf('packages/xdp/fixtures', '.o', BYTES_MAX),
  async run(input) {
    try {
      for (const { name } of readObject(input).programs) {
        const program = await loadEbpf(input, { program: name, engine: 'interpret' })
        const context = new XdpContext()
        context.setFrame(new Uint8Array(256).fill(0x45), 64, 64, 64, 64)
        const verdict = program.run(context)
        expectThat(Number.isInteger(verdict), `verdict ${verdict}`)
        const { data, dataEnd, hardStart, hardEnd } = context
        expectThat(hardStart <= data && data <= dataEnd && dataEnd <= hardEnd, 'the frame left its memory')
      }
    } catch (error) {
      if (!isVringError(error)) throw error
    }
    return 1
  },
}
