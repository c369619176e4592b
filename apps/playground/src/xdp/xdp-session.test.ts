import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FRAMES } from './frames.ts'
import { COUNTERS, XDP1, XDP2 } from './objects.ts'
import { PROGRAMS } from './programs.ts'
import { MOMENTS_MAX, XdpSession } from './xdp-session.ts'

const fixture = (name: string): Uint8Array =>
  readFileSync(join(import.meta.dirname, '../../../../packages/xdp/fixtures', name))
const frame = (id: string): Uint8Array => FRAMES.find((one) => one.id === id)!.bytes
const session = (id: string, frameId: string): XdpSession => {
  const { object, program } = PROGRAMS.find((one) => one.id === id)!
  return new XdpSession(object, program, frame(frameId))
}
const last = (one: XdpSession) => one.moments.at(-1)!

describe('a program of the page', () => {
  it.each([
    ['xdp1.v3.o', XDP1],
    ['xdp2.v3.o', XDP2],
    ['counters.v3.o', COUNTERS],
  ])('is the object %s of packages/xdp', (name, text) => {
    expect(text).toBe(Buffer.from(fixture(name)).toString('base64'))
  })

  it.each(PROGRAMS.flatMap(({ id }) => FRAMES.map((one) => [id, one.id] as const)))(
    '%s ends on the frame %s, with a verdict',
    (id, frameId) => {
      const { moments, isCut } = session(id, frameId)
      expect(isCut).toBe(false)
      expect(moments.at(-1)!.verdict).toMatch(/^XDP_/)
      expect(moments.slice(0, -1).every(({ verdict }) => verdict === null)).toBe(true)
    },
  )
})

describe('a run of xdp1', () => {
  it('reads the protocol, counts it on the way and drops the frame', () => {
    const run = session('xdp1', 'udp')
    const reads = run.moments.filter(({ access, packetAt }) => access?.region === 2 && access.at === packetAt + 23)
    expect(reads).toHaveLength(1)
    expect(last(run).verdict).toBe('XDP_DROP')
    expect(last(run).maps).toEqual([{ map: 'rxcnt', key: '17', value: '1' }])
  })

  it('starts with the context in r1 alone; the verifier knows it, and the frame stays as it was', () => {
    const run = session('xdp1', 'udp')
    const [first] = run.moments
    expect(first!.registers.flatMap(({ text }, number) => (text === '' ? [] : [`r${number} ${text}`]))).toEqual([
      'r1 context',
      'r10 stack end',
    ])
    expect(first!.next!.known.get(1)!.texts).toEqual(['context'])
    expect(last(run).packet).toEqual(frame('udp'))
  })

  it('goes to any moment, and no further than the first and the last', () => {
    const run = session('xdp1', 'arp')
    run.goTo(3)
    expect(run.previous).toBe(run.moments[2])
    run.goTo(-1)
    expect([run.cursor, run.previous]).toEqual([0, null])
    run.goTo(MOMENTS_MAX)
    expect(run.current).toBe(last(run))
  })
})

describe('a run of xdp2', () => {
  it('swaps the addresses of a UDP frame', () => {
    const run = session('xdp2', 'udp')
    const before = frame('udp')
    expect(last(run).verdict).toBe('XDP_TX')
    expect([...last(run).packet.subarray(0, 12)]).toEqual([...before.subarray(6, 12), ...before.subarray(0, 6)])
  })
})

it('what the verifier refuses is refused, with its reason', () => {
  expect(() => new XdpSession(fixture('globals.v3.o'), 'bad_opaque', frame('udp'))).toThrow(/is not known/)
  expect(() => new XdpSession(Uint8Array.of(1, 2, 3), undefined, frame('udp'))).toThrow()
})
