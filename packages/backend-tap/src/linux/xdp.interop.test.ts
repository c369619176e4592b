import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KernelXdpObject } from '@vring/ebpf/linux'
import { assembleBpf, exitProgram, KernelXdpProgram, key32, load32, setLinkXdp } from '@vring/linux'
import { NET_BATCH } from '@vring/vhost-net'
import { XDP_DROP, Xdp1 } from '@vring/xdp'
import { expect, test } from 'vitest'
import { batchOf, describeLinuxTap, HEADER } from '../../test/linux-tap-fixture.ts'
import { TapDevice } from '../index.ts'
import { CountingXdp } from '../linux.ts'

describeLinuxTap('XDP programs on a Linux TAP', ({ keep, open, serve }) => {
  test('a program that the verifier refuses is named with its instruction and the reason', () => {
    const instructions = assembleBpf([load32(0, 3, 0), exitProgram()])
    expect(() => KernelXdpProgram.load({ name: 'wild', instructions })).toThrow(
      /XDP program wild at instruction 0: .*: R3 !read_ok/,
    )
  })

  test('without BPF links a program is attached and taken off by rtnetlink', () => {
    const tap = open()
    const drop = keep(new CountingXdp(XDP_DROP))
    for (const mode of ['native', 'generic'] as const) {
      setLinkXdp(tap.ifindex, drop.program.fd, mode)
      expect(tap.info().xdp).toEqual({ mode, programId: drop.program.id })
      expect(() => setLinkXdp(tap.ifindex, drop.program.fd, mode)).toThrow(/EBUSY/)
      setLinkXdp(tap.ifindex, -1, mode)
      expect(tap.info().xdp.mode).toBe('none')
    }
    expect(() => setLinkXdp(tap.ifindex, tap.queues[0]!.fd, 'native')).toThrow(/attaching XDP, native mode/)
  })

  test('xdp1 as clang compiled it counts in the kernel what its TypeScript version counts in process', () => {
    const object = readFileSync(join(import.meta.dirname, '../../../xdp/fixtures/xdp1.v3.o'))
    const xdp1 = keep(KernelXdpObject.load(new Uint8Array(object)))
    const tap = open()
    expect(tap.attachXdp(xdp1.program)).toBe('native')
    const queue = serve(tap)
    const model = new Xdp1()
    const inProcess = new TapDevice({ program: model }).queues[0]!
    // IPv4 with protocol numbers 1, 6 and 17 in turn, and one frame in five that is no IP.
    const batch = batchOf(NET_BATCH, 60)
    for (let i = 0; i < NET_BATCH; i++) {
      const frame = batch.offset[i]! + HEADER
      if (i % 5 !== 0) batch.view.u8.set([0x08, 0x00, 0x45], frame + 12)
      batch.view.u8[frame + 14 + 9] = [1, 6, 17][i % 3]!
    }
    for (const one of [queue, inProcess]) {
      one.transmit(batch)
      one.flush()
    }
    const rxcnt = xdp1.maps.get('rxcnt')!
    for (let protocol = 0; protocol < 256; protocol++) expect(rxcnt.counter(protocol)).toBe(model.counters[protocol])
    expect(model.counters[17]).toBeGreaterThan(10)
    expect(() => KernelXdpObject.load(new Uint8Array(object), { program: 'xdp9' })).toThrow(/program is xdp9/)
  })

  test('global variables in the kernel start with what the source says: zeros in .bss, constants frozen in .rodata', () => {
    const object = readFileSync(join(import.meta.dirname, '../../../xdp/fixtures/features.v3.o'))
    const program = keep(KernelXdpObject.load(object, { program: 'globals' }))
    const tap = open()
    tap.attachXdp(program.program)
    const queue = serve(tap)
    const value = (map: string): DataView => new DataView(program.maps.get(map)!.lookup(key32(0))![0]!.buffer)
    expect([value('.bss').getUint32(0, true), value('.data').getUint32(0, true)]).toEqual([0, 2])
    queue.transmit(batchOf(3, 60))
    queue.flush()
    expect(value('.bss').getUint32(0, true)).toBe(6)
    expect(value('.rodata').getUint32(0, true)).toBe(1000)
    const { valueSize } = program.maps.get('.rodata')!.options
    expect(() => program.maps.get('.rodata')!.update(key32(0), new Uint8Array(valueSize))).toThrow(/EPERM/)
  })
})
