import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RedirectTable } from '@vring/ebpf'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import {
  indexKeyOf,
  type LoadEbpfOptions,
  loadEbpf,
  readObject,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
  Xdp1,
  Xdp2,
  XdpContext,
  type XdpEbpfProgram,
} from './index.ts'

const object = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures', name)))

/** Both instruction sets of the objects, through both engines. */
const VARIANTS = (['v2', 'v3'] as const).flatMap((cpu) =>
  (['compile', 'interpret'] as const).map((engine) => ({ cpu, engine })),
)

/** A frame with room around it. */
function contextOf(frame: Uint8Array, headroom = 64, tailroom = 64): XdpContext {
  const u8 = new Uint8Array(headroom + frame.length + tailroom)
  u8.set(frame, headroom)
  const context = new XdpContext()
  context.setFrame(u8, headroom, frame.length, headroom, tailroom)
  return context
}

function frameOf(context: XdpContext): Uint8Array {
  return context.u8.slice(context.data, context.dataEnd)
}

/** Ethernet, IPv4 with a right checksum, UDP of `length`. */
function udp(length = 20, options = 0): Uint8Array {
  const headerWords = 5 + options
  const frame = new Uint8Array(14 + headerWords * 4 + 8 + 12)
  const view = new DataView(frame.buffer)
  view.setUint16(12, 0x0800)
  frame[14] = 0x40 | headerWords
  frame[22] = 64
  frame[23] = 17
  view.setUint32(26, 0xc0000201)
  view.setUint32(30, 0xc0000202)
  view.setUint16(14 + headerWords * 4 + 4, length)
  view.setUint16(24, checksum(frame))
  return frame
}

/** Checksum that the 20 bytes of IPv4 header should carry. */
function checksum(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset)
  let sum = 0
  for (let at = 14; at < 34; at += 2) sum += at === 24 ? 0 : view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Frames whose first bytes are likely to take every path of a parser. */
const parsable = fc
  .tuple(
    fc.uint8Array({ minLength: 0, maxLength: 80 }),
    fc.constantFrom(
      [0x08, 0x00],
      [0x86, 0xdd],
      [0x81, 0x00, 0, 1, 0x08, 0x00],
      [0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2, 0x86, 0xdd],
      [0x81, 0x00, 0, 1, 0x81, 0x00, 0, 1, 0x81, 0x00],
      [0x12, 0x34],
    ),
  )
  .map(([bytes, types]) => {
    const frame = bytes.slice()
    frame.set(types.slice(0, Math.max(0, frame.length - 12)), Math.min(12, frame.length))
    return frame
  })

describe.each(VARIANTS)('objects for $cpu, engine $engine', ({ cpu, engine }) => {
  const load = (name: string, program?: string, options: LoadEbpfOptions = {}): Promise<XdpEbpfProgram> =>
    loadEbpf(object(`${name}.${cpu}.o`), { engine, ...options, ...(program === undefined ? {} : { program }) })
  const features = (program: string, options: LoadEbpfOptions = {}): Promise<XdpEbpfProgram> =>
    load('features', program, options)

  test('xdp1 and xdp2 agree with their TypeScript versions on any frame: verdict, counters and bytes', async () => {
    for (const [compiled, written] of [
      [await load('xdp1'), new Xdp1()],
      [await load('xdp2'), new Xdp2()],
    ] as const) {
      fc.assert(
        fc.property(parsable, (frame) => {
          const one = contextOf(frame)
          const other = contextOf(frame)
          expect(compiled.run(one)).toBe(written.run(other))
          expect(frameOf(one)).toEqual(frameOf(other))
        }),
        { numRuns: 200 },
      )
      const rxcnt = compiled.maps.get('rxcnt')!
      const counted = rxcnt.keys().map((key) => new DataView(rxcnt.get(key)!.slice().buffer).getBigUint64(0, true))
      expect(counted).toEqual([...written.counters].map(BigInt))
    }
  })

  test('global variables keep their values and start with what the source says', async () => {
    const program = await features('globals')
    const context = contextOf(new Uint8Array(14))
    expect(Array.from({ length: 501 }, () => program.run(context)).indexOf(XDP_DROP)).toBe(500)
    expect(new DataView(program.maps.get('.bss')!.values.buffer).getUint32(0, true)).toBe(1002)
    expect(program.maps.get('.data')!.values[0]).toBe(2)
    expect(program.maps.get('.rodata')!.readOnly).toBe(true)
  })

  test('a hash map counts flows after an IP header of variable length, and refuses the fifth', async () => {
    const program = await features('count_flows')
    const flows = program.maps.get('flows')!
    for (const options of [0, 3, 10]) expect(program.run(contextOf(udp(100, options)))).toBe(XDP_PASS)
    expect(new DataView(flows.get(flows.keys()[0]!)!.slice().buffer).getUint32(0, true)).toBe(300)
    for (let flow = 1; flow < 6; flow++) {
      const frame = udp()
      frame[29] = 100 + flow
      expect(program.run(contextOf(frame))).toBe(flow < 4 ? XDP_PASS : XDP_DROP)
    }
    const cut = udp(20, 10)
    expect(program.run(contextOf(cut.subarray(0, 60)))).toBe(XDP_DROP)
    expect(program.run(contextOf(cut.subarray(0, 33)))).toBe(XDP_ABORTED)
  })

  test('a loop that the end of the packet bounds sums what is there', async () => {
    const program = await features('sum_bytes')
    for (const bytes of [0, 1, 63, 64, 80]) {
      expect(program.run(contextOf(new Uint8Array(bytes).fill(3)))).toBe(XDP_PASS)
      expect(program.maps.get('.bss')!.values[0]).toBe(3 * Math.min(bytes, 64))
    }
  })

  test('subprograms that call one another check the IPv4 checksum', async () => {
    const program = await features('check_sum')
    const frame = udp()
    expect(program.run(contextOf(frame))).toBe(XDP_PASS)
    frame[30]! ^= 1
    expect(program.run(contextOf(frame))).toBe(XDP_DROP)
    expect(program.run(contextOf(frame.subarray(0, 10)))).toBe(XDP_ABORTED)
  })

  test('head, metadata and tail are adjusted: a VLAN tag in front, the time in the metadata', async () => {
    const program = await features('push_vlan', { clock: () => 0x1234_5678_9abc })
    const frame = udp()
    const context = contextOf(frame)
    expect(program.run(context)).toBe(XDP_TX)
    expect([...frameOf(context)]).toEqual([...frame.subarray(0, 12), 0x81, 0, 0, 7, ...frame.subarray(12, -4)])
    expect(context.data - context.dataMeta).toBe(8)
    expect(new DataView(context.u8.buffer).getBigUint64(context.dataMeta, true)).toBe(0x1234_5678_9abcn)
    expect(program.run(contextOf(frame, 0, 0))).toBe(XDP_ABORTED)
  })

  test('redirect_map names the target of the key, or falls back', async () => {
    const program = await features('to_device')
    const devices = program.maps.get('devices')
    expect(devices).toBeInstanceOf(RedirectTable)
    devices!.set(indexKeyOf(3), Uint8Array.of(42, 0, 0, 0))
    const context = contextOf(udp())
    context.ingressIfindex = 3
    expect(program.run(context)).toBe(XDP_REDIRECT)
    expect([context.redirectTarget, context.redirectMap]).toEqual([42, devices])
    context.ingressIfindex = 4
    expect(program.run(context)).toBe(XDP_PASS)
    context.ingressIfindex = 0x8000_0000
    expect(program.run(context)).toBe(XDP_PASS)
  })

  test('a socket map is asked for the queue and redirected through', async () => {
    const program = await features('to_socket')
    program.maps.get('sockets')!.set(indexKeyOf(1), Uint8Array.of(7, 0, 0, 0))
    const context = contextOf(udp())
    expect(program.run(context)).toBe(XDP_PASS)
    context.rxQueueIndex = 1
    expect(program.run(context)).toBe(XDP_REDIRECT)
    expect([context.redirectTarget, context.redirectMap?.kind]).toEqual([7, 'xskmap'])
  })

  test('redirect names an interface and no map', async () => {
    const context = contextOf(udp())
    context.ingressIfindex = 8
    expect((await features('to_ifindex')).run(context)).toBe(XDP_REDIRECT)
    expect([context.redirectTarget, context.redirectMap]).toEqual([9, null])
  })

  test('csum_diff keeps the checksum right, trace_printk tells', async () => {
    const lines: string[] = []
    const program = await features('change_ttl', { trace: (line) => lines.push(line), cpu: 3 })
    const context = contextOf(udp())
    expect(program.run(context)).toBe(XDP_TX)
    const frame = frameOf(context)
    expect(frame[22]).toBe(9)
    const stored = (frame[24]! << 8) | frame[25]!
    expect(stored).toBe(checksum(frame))
    const swapped = ((stored & 0xff) << 8) | (stored >> 8)
    expect(lines).toEqual([`ttl 9 sum ${swapped.toString(16)} cpu 3`])
  })
})

describe('loading', () => {
  test('a shared map serves two programs; one of another shape is refused', async () => {
    const bytes = object('features.v3.o')
    const flows = await loadEbpf(bytes, { program: 'count_flows' })
    const sum = await loadEbpf(bytes, { program: 'sum_bytes' })
    const maps = Object.fromEntries(sum.maps)
    const globals = await loadEbpf(bytes, { program: 'xdp/globals', maps })
    expect(globals.maps.get('.bss')).toBe(sum.maps.get('.bss'))
    await expect(loadEbpf(bytes, { program: 'globals', maps: { '.bss': flows.maps.get('flows')! } })).rejects.toThrow(
      /accepted: array/,
    )
  })

  test('per-CPU counters are counted on the CPU of the program', async () => {
    const program = await loadEbpf(object('xdp1.v3.o'), { cpus: 4, cpu: 2 })
    program.run(contextOf(udp()))
    const { values } = program.maps.get('rxcnt')!
    expect([0, 1, 2, 3].map((cpu) => values[(cpu * 256 + 17) * 8])).toEqual([0, 0, 1, 0])
  })

  test.each([
    ['xdp1.v3.o', undefined, true],
    ['xdp2.v3.o', undefined, false],
    ['features.v3.o', 'count_flows', true],
    ['features.v3.o', 'check_sum', true],
    ['features.v3.o', 'to_device', true],
    ['features.v3.o', 'push_vlan', false],
    ['features.v3.o', 'change_ttl', false],
  ] as const)(
    '%s %s: read-only is %s, so it may or may not run on the memory of a driver',
    async (file, program, readOnly) => {
      expect((await loadEbpf(object(file), program === undefined ? {} : { program })).readOnly).toBe(readOnly)
    },
  )

  test('without a name the object must have one program', async () => {
    await expect(loadEbpf(object('features.v3.o'))).rejects.toThrow(
      /program is not given; accepted: one of .*globals, count_flows/,
    )
    await expect(loadEbpf(object('xdp1.v3.o'), { program: 'nope' })).rejects.toThrow(/accepted: one of xdp_prog1/)
  })

  test('where code may not be generated, auto interprets and compile says so', async () => {
    vi.stubGlobal(
      'Function',
      class {
        constructor() {
          throw new EvalError('code generation is forbidden')
        }
      },
    )
    try {
      const program = await loadEbpf(object('xdp1.v3.o'))
      expect(program.engine).toBe('interpreted')
      expect(program.run(contextOf(udp()))).toBe(XDP_DROP)
      await expect(loadEbpf(object('xdp1.v3.o'), { engine: 'compile' })).rejects.toThrow(EvalError)
    } finally {
      vi.unstubAllGlobals()
    }
    expect((await loadEbpf(object('xdp1.v3.o'))).engine).toBe('compiled')
  })

  test('frames in shared memory run as well', async () => {
    const program = await loadEbpf(object('xdp1.v3.o'))
    const shared = new Uint8Array(new SharedArrayBuffer(64))
    shared.set(udp().subarray(0, 54))
    const context = new XdpContext()
    context.setFrame(shared, 0, 54)
    expect(program.run(context)).toBe(XDP_DROP)
    expect(program.maps.get('rxcnt')!.values[17 * 8]).toBe(1)
  })

  test('a truncated or changed object is refused with an error that names what is wrong, never with a crash', async () => {
    const whole = object('features.v3.o')
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
        (length, changes) => {
          const bytes = whole.slice(0, changes.length === 0 ? length : whole.length)
          for (const [at, value] of changes) bytes[at] = value
          try {
            for (const program of readObject(bytes).programs) program.link()
          } catch (error) {
            expect((error as { code?: string }).code).toMatch(/^ERR_/)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test.each([
    ['no ELF', new Uint8Array(64), /accepted: an ELF64 object/],
    ['32-bit', patched(4, 1), /ELF class is 1/],
    ['big-endian', patched(5, 2), /ELF byte order is 2/],
    ['another machine', patched(18, 62), /ELF machine is 62/],
  ])('%s is refused', (_, bytes, reason) => {
    expect(() => readObject(bytes)).toThrow(reason)
  })
})

function patched(at: number, value: number): Uint8Array {
  const bytes = object('xdp1.v3.o')
  bytes[at] = value
  if (at === 18) bytes[19] = 0
  return bytes
}
