import { EbpfError, encode, type HelperArgument, type Instruction, type ObjectMap } from '@vring/ebpf'
import { describe, expect, test } from 'vitest'
import { loadEbpf } from './load-ebpf.ts'
import { XdpContext } from './xdp-context.ts'
import { XDP_TYPE } from './xdp-type.ts'

/*
 * Every helper that takes a size, with sizes that programs should not give: each call is either refused by the verifier or
 * ends with a result, and what is 0 where 0 is allowed reads and writes nothing.
 */
const CONTEXT = 6
/** The helper's memory, on the stack. */
const MEMORY_AT = -64

const MAPS: Readonly<Record<string, ObjectMap>> = {
  'perf-event-array': { name: 'events', type: 'perf-event-array', keyBytes: 4, valueBytes: 4, maxEntries: 1 },
  ringbuf: { name: 'ring', type: 'ringbuf', keyBytes: 0, valueBytes: 0, maxEntries: 4096 },
}

const SIZED = [...XDP_TYPE.helpers.values()].filter((one) =>
  one.arguments.some((argument) => argument === 'size' || argument === 'size-or-zero' || argument === 'constant'),
)

function number(register: number, value: number): Instruction {
  return { kind: 'move', destination: register, source: -1, immediate: value, bits: 64, fromBits: 64 }
}

/** What puts an argument into its register, sizes being `size`. */
function argument(kind: HelperArgument, register: number, size: Instruction): Instruction[] {
  switch (kind) {
    case 'context':
      return [{ ...number(register, 0), source: CONTEXT } as Instruction]
    case 'map':
      return [{ kind: 'load-map', destination: register, map: 0 }]
    case 'memory':
    case 'memory-or-null':
    case 'memory-to-write':
      return [
        { ...number(register, 0), source: 10 } as Instruction,
        { kind: 'alu', operation: 'add', bits: 64, destination: register, source: -1, immediate: MEMORY_AT },
      ]
    case 'size':
    case 'size-or-zero':
    case 'constant':
      return [{ ...size, destination: register } as Instruction]
    default:
      return [number(register, 0)]
  }
}

function call(helper: (typeof SIZED)[number], size: Instruction): Promise<Awaited<ReturnType<typeof loadEbpf>>> {
  const map = helper.maps?.map((type) => MAPS[type]).find((one) => one !== undefined)
  const code = encode([
    { ...number(CONTEXT, 0), source: 1 } as Instruction,
    ...helper.arguments.flatMap((kind, i) => argument(kind, i + 1, size)),
    { kind: 'call', helper: helper.number },
    number(0, 2),
    { kind: 'exit' },
  ])
  return loadEbpf({ name: helper.name, code, maps: map === undefined ? [] : [map] })
}

/** Loads and runs; the verifier's refusal is a result as well. */
async function outcome(helper: (typeof SIZED)[number], size: Instruction): Promise<string> {
  try {
    const program = await call(helper, size)
    const context = new XdpContext()
    const frame = new Uint8Array(128).fill(0xa5)
    context.setFrame(frame, 32, 64, 16, 16)
    const verdict = program.run(context)
    if (frame.some((byte) => byte !== 0xa5)) return 'the frame was changed'
    return `verdict ${verdict}`
  } catch (error) {
    if (!(error instanceof EbpfError)) throw error
    return `refused: ${error.reason}`
  }
}

describe('sizes that helpers are given', () => {
  test('there are such helpers', () => {
    expect(SIZED.map(({ name }) => name).sort()).toEqual([
      'csum_diff',
      'fib_lookup',
      'perf_event_output',
      'ringbuf_output',
      'ringbuf_reserve',
      'trace_printk',
      'trace_vprintk',
      'xdp_load_bytes',
      'xdp_store_bytes',
    ])
  })

  test.each(SIZED)('$name of 2^32 - 1 bytes is refused', async (helper) => {
    const size: Instruction = { kind: 'load-immediate', destination: 0, low: -1, high: 0 }
    expect(await outcome(helper, size)).toMatch(/^refused: .*(is not bounded|no known number up to 2\^29)/)
  })

  test.each(SIZED)('$name of -1 bytes is refused', async (helper) => {
    expect(await outcome(helper, number(0, -1))).toMatch(/^refused: .*(is not bounded|no known number up to 2\^29)/)
  })

  test.each(SIZED)('$name of 0 bytes is refused, or does nothing', async (helper) => {
    const wanted = helper.arguments.includes('size') ? /^refused: .*may be 0/ : /^(verdict 2|refused: .*record)/
    expect(await outcome(helper, number(0, 0))).toMatch(wanted)
  })
})
