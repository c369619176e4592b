import { spawnSync } from 'node:child_process'
import { closeFd, interfaceIndex, openTunQueue, PollSet, processResources, unshareNetwork } from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LinuxTap, type LinuxTapOptions, LinuxTapQueue, type TapIo } from '../src/linux.ts'

/** Bytes of the virtio-net header before each frame of these tests. */
export const HEADER = 12
/** Bytes from one short frame of a batch to the next. */
export const SLOT = 256

const isRoot = process.getuid?.() === 0

/** What tests over Linux TAPs are given. What they open is closed after each test, the last one first. */
export interface TapFixture {
  keep<T extends { close(): void }>(one: T): T
  open(options?: LinuxTapOptions): LinuxTap
  serve(tap: LinuxTap, io?: TapIo, index?: number): LinuxTapQueue
}

/** A file of tests in a network namespace of its own, the last of which sees that nothing is left over. */
export function describeLinuxTap(title: string, tests: (fixture: TapFixture) => void): void {
  describe.skipIf(!isRoot)(`${title}${isRoot ? '' : ' (skipped: needs root)'}`, () => {
    const closing: { close(): void }[] = []
    let openFds = 0
    beforeAll(() => {
      unshareNetwork()
      openFds = processResources().openFds
    })
    afterEach(() => {
      for (const one of closing.splice(0).reverse()) one.close()
    })

    const keep = <T extends { close(): void }>(one: T): T => {
      closing.push(one)
      return one
    }
    tests({
      keep,
      open: (options = {}) => keep(LinuxTap.open(options)),
      serve: (tap, io, index = 0) => keep(new LinuxTapQueue(tap.queues[index]!, io === undefined ? {} : { io })),
    })

    test('nothing is left over: descriptors and interfaces are gone', () => {
      expect(processResources().openFds).toBe(openFds)
      const { fd, name } = openTunQueue()
      closeFd(fd)
      expect(() => interfaceIndex(name)).toThrow(/ENODEV/)
    })
  })
}

/** A batch of `count` frames of `bytes` bytes each, broadcast, in a view of its own. */
export function batchOf(count: number, bytes: number, headerBytes = HEADER): FrameBatch {
  const batch = new FrameBatch(
    headerBytes,
    memoryView(new ArrayBuffer(NET_BATCH * Math.max(SLOT, (headerBytes + bytes + 3) & ~3))),
  )
  const stride = batch.view.u8.length / NET_BATCH
  for (let i = 0; i < count; i++) {
    const frame = i * stride + headerBytes
    batch.view.u8.fill(0xff, frame, frame + 6)
    batch.view.u8.set([2, 0, 0, 0, 0, 1, 0x88, 0xb5, i], frame + 6)
    batch.offset[i] = i * stride
    batch.length[i] = headerBytes + bytes
  }
  batch.count = count
  return batch
}

/** Runs `ip` of iproute2 in the namespace of the tests. */
export function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** Takes what the stack says on its own (IPv6 neighbour discovery) until it is quiet. */
export function drain(queue: LinuxTapQueue): void {
  const poll = new PollSet()
  poll.watch([queue.wakeFd])
  for (let i = 0; i < 100 && poll.wait(50) > 0; i++) queue.consume(queue.receive().count)
}
