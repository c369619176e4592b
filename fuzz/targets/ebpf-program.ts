import { createMap, type EbpfMap, encode } from '@vring/ebpf'
import { isVringError } from '@vring/layout'
import { loadEbpf, XdpContext, type XdpEbpfProgram } from '@vring/xdp'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const MAP = { name: 'values', type: 'array', keyBytes: 4, valueBytes: 64, maxEntries: 2 } as const
const FRAME_BYTES = 64

interface Loaded {
  readonly program: XdpEbpfProgram
  readonly map: EbpfMap
}

/** What differs from run to run otherwise. */
const SAME = { clock: () => 1_000_000, random: () => 7 }

interface End {
  readonly verdict: number
  readonly frame: string
  readonly values: string
}

async function load(code: Uint8Array, engine: 'compile' | 'interpret'): Promise<Loaded | string> {
  const map = createMap(MAP)
  try {
    return {
      program: await loadEbpf({ name: 'fuzzed', code, maps: [MAP] }, { ...SAME, engine, maps: { values: map } }),
      map,
    }
  } catch (error) {
    if (!isVringError(error)) throw error
    return error.message
  }
}

function runOnce({ program, map }: Loaded): End {
  const context = new XdpContext()
  const memory = Uint8Array.from({ length: 256 }, (_, at) => (at * 7) & 0xff)
  context.setFrame(memory, 64, FRAME_BYTES, 64, 64)
  const verdict = program.run(context)
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const { data, dataEnd, hardStart, hardEnd } = context
  expectThat(hardStart <= data && data <= dataEnd && dataEnd <= hardEnd, 'the frame left its memory')
  return { verdict, frame: `${data}-${dataEnd} ${hex(memory)}`, values: hex(map.values) }
}

export const target: FuzzTarget = {
  name: 'ebpf-program',
  description:
    'instructions: the verifier refuses them, or the compiler and the interpreter run them to the same end inside their memory',
  unit: 'programs',
  maxBytes: 512,
  seeds: [
    encode([{ kind: 'move', destination: 0, source: -1, immediate: 2, bits: 64, fromBits: 64 }, { kind: 'exit' }]),
    encode([
      { kind: 'load-map-value', destination: 9, map: 0, offset: 0 },
      { kind: 'load', destination: 1, base: 9, offset: 8, bytes: 8, signed: false },
      { kind: 'alu', operation: 'add', bits: 64, destination: 1, source: -1, immediate: 5 },
      { kind: 'store', base: 9, offset: 16, bytes: 8, source: 1, immediate: 0 },
      { kind: 'move', destination: 0, source: -1, immediate: 1, bits: 64, fromBits: 64 },
      { kind: 'exit' },
    ]),
    // r2 = data, r3 = data_end; if r2 + 14 > r3 drop; load a byte; pass.
    Uint8Array.from(
      Buffer.from(
        '6112000000000000' +
          '6113040000000000' +
          'bf24000000000000' +
          '07040000' +
          '0e000000' +
          '2d34030000000000' +
          '7125000000000000' +
          'b700000002000000' +
          '9500000000000000' +
          'b700000001000000' +
          '9500000000000000',
        'hex',
      ),
    ),
  ],
  dictionary: [
    '9500000000000000',
    'b700000002000000',
    '8500000001000000',
    '1801000000000000',
    '6112000000000000',
    '05000000',
    '0500feff',
    'db0a0000',
  ].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  async run(input) {
    const code = input.slice(0, input.length - (input.length % 8))
    const interpreted = await load(code, 'interpret')
    const compiled = await load(code, 'compile')
    if (typeof interpreted === 'string' || typeof compiled === 'string') {
      expectThat(interpreted === compiled, `one engine refuses: ${String(interpreted)}, ${String(compiled)}`)
      return 1
    }
    const [one, other] = [runOnce(interpreted), runOnce(compiled)]
    for (const field of ['verdict', 'frame', 'values'] as const)
      expectThat(one[field] === other[field], `${field}: interpreted ${one[field]}, compiled ${other[field]}`)
    return 1
  },
}
