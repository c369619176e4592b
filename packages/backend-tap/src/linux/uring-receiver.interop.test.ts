import { spawnSync } from 'node:child_process'
import { interfaceIndex, setLink } from '@vring/linux'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batchOf, describeLinuxTap, HEADER, ip } from '../../test/linux-tap-fixture.ts'
import type { LinuxTapQueue } from '../linux.ts'
import { UringReceiver } from './uring-receiver.ts'

const SLOT = 2048

describeLinuxTap('reading a TAP by io_uring', ({ keep, open, serve }) => {
  /** Two TAPs with a bridge between them and no other sender: what goes into one comes out of the other. */
  function wire(): { receiver: UringReceiver; sender: LinuxTapQueue } {
    const [to, from] = [open({ name: 'vringto', up: false }), open({ name: 'vringfrom', up: false })]
    ip('link', 'add', 'vringwire', 'type', 'bridge', 'mcast_snooping', '0')
    keep({ close: () => ip('link', 'del', 'vringwire') })
    for (const name of ['vringto', 'vringfrom', 'vringwire']) {
      spawnSync('sysctl', ['-qw', `net.ipv6.conf.${name}.disable_ipv6=1`])
      if (name !== 'vringwire') ip('link', 'set', name, 'master', 'vringwire')
      setLink(interfaceIndex(name), { up: true })
    }
    const receiver = keep(new UringReceiver(to.queues[0]!.fd, SLOT))
    const sender = serve(from)
    // The bridge forwards at once.
    send(sender, 1, 0)
    for (let i = 0; i < 1000 && receiver.read() === 0; i++);
    while (receiver.read() > 0);
    return { receiver, sender }
  }

  /** Frames whose bytes after the type are their numbers, from `first` on. */
  function send(sender: LinuxTapQueue, count: number, first: number): void {
    const batch = batchOf(count, 64)
    for (let i = 0; i < count; i++) batch.view.u32[(batch.offset[i]! + HEADER + 16) >>> 2] = first + i
    expect(sender.transmit(batch)).toBe(count)
    sender.flush()
  }

  /** Numbers of the frames of the last read. */
  function numbers(receiver: UringReceiver, count: number): number[] {
    const view = new DataView(receiver.buffer)
    return Array.from({ length: count }, (_, i) => {
      expect(receiver.length[i]).toBe(HEADER + 64)
      return view.getUint32(receiver.slot[i]! * SLOT + HEADER + 16, true)
    })
  }

  test('an idle TAP costs no system call, and a frame is found without one that finds nothing', () => {
    const { receiver, sender } = wire()
    let { calls } = receiver
    for (let i = 0; i < 10_000; i++) expect(receiver.read()).toBe(0)
    expect(receiver.calls).toBe(calls)
    for (let frame = 0; frame < 100; frame++) {
      send(sender, 1, frame)
      expect(numbers(receiver, receiver.read())).toEqual([frame])
      expect(receiver.calls).toBe(++calls)
      expect([receiver.read(), receiver.errno, receiver.calls]).toEqual([0, 0, calls])
    }
  })

  test('traffic costs a call for a batch, and one more when it ends', () => {
    const { receiver, sender } = wire()
    const { calls } = receiver
    let next = 0
    for (let batch = 0; batch < 20; batch++) {
      send(sender, 64, 64 * batch)
      for (let read = receiver.read(); read > 0; read = receiver.read())
        for (const number of numbers(receiver, read)) expect(number).toBe(next++)
    }
    expect(next).toBe(20 * 64)
    // One frame, 4, 16, 43 of the 64 that are asked for then; a read that finds nothing, and the poll.
    expect(receiver.calls - calls).toBeLessThanOrEqual(20 * 6)
    for (let i = 0; i < 100; i++) receiver.read()
    expect(receiver.calls - calls).toBeLessThanOrEqual(20 * 6)
  })

  test('whatever the bursts and the looks between them, no frame is lost or reordered', () => {
    const { receiver, sender } = wire()
    const step = fc.record({ burst: fc.integer({ min: 0, max: 64 }), reads: fc.integer({ min: 0, max: 5 }) })
    let sent = 0
    let received = 0
    const read = (): number => {
      const count = receiver.read()
      for (const number of numbers(receiver, count)) expect(number).toBe(received++)
      expect(receiver.errno).toBe(0)
      return count
    }
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 10 }), (steps) => {
        for (const { burst, reads } of steps) {
          // The TAP's own queue holds 1000.
          if (sent - received > 900) while (read() > 0);
          if (burst > 0) send(sender, burst, sent)
          sent += burst
          for (let i = 0; i < reads; i++) read()
        }
        // Two looks that find nothing may be one that found the TAP empty, and the poll: the third is sure.
        for (let idle = 0; idle < 3; idle++) if (read() > 0) idle = -1
        expect(received).toBe(sent)
      }),
      { numRuns: 100 },
    )
  })

  test('a TAP goes with its last descriptor, also while it is polled', () => {
    for (let i = 0; i < 20; i++) {
      const tap = open({ name: 'vringpoll', up: false })
      const receiver = new UringReceiver(tap.queues[0]!.fd, SLOT)
      while (receiver.read() > 0);
      const { calls } = receiver
      receiver.read()
      expect(receiver.calls).toBe(calls)
      receiver.close()
      tap.close()
      expect(() => interfaceIndex('vringpoll')).toThrow(/ENODEV/)
    }
  })

  test('a TAP that is deleted wakes who polls it', () => {
    const tap = open({ name: 'vringaway', up: false })
    const receiver = keep(new UringReceiver(tap.queues[0]!.fd, SLOT))
    while (receiver.read() > 0);
    tap.delete()
    expect(receiver.read()).toBe(0)
    // EBADFD.
    expect(receiver.errno).toBe(77)
  })
})
