import { hasFeature, VIRTIO_F_RING_PACKED } from '@vring/layout'
import { processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { work } from '@vring/memory'
import { BackendSession, linuxHost, VhostUserDriver } from '@vring/vhost-user'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BlockDevice, type BlockStore } from './index.ts'

const reason = unsupportedHost()
const SECTOR = 512
const WRITE = 1
const ALL = 2n ** 20n - 1n
const PACKED = 1n << BigInt(VIRTIO_F_RING_PACKED)

/** Sectors in memory, which outlive the devices that write them as a file does. */
class Sectors implements BlockStore {
  readonly bytes: number
  readonly content: Uint8Array
  constructor(count: number) {
    this.bytes = count * SECTOR
    this.content = new Uint8Array(this.bytes)
  }

  read(): void {}
  flush(): void {}
  write(offset: number, from: readonly Uint8Array[]): void {
    let at = offset
    for (const view of from) {
      this.content.set(view, at)
      at += view.length
    }
  }
}

function writeOf(sector: number, bytes = SECTOR): Uint8Array[] {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, WRITE, true)
  view.setBigUint64(8, BigInt(sector), true)
  return [new Uint8Array(view.buffer), new Uint8Array(bytes).fill(sector + 1)]
}

/** A driver in this thread whose device dies: its session is left as it is, and the next one finds what it noted. */
class Mortal {
  readonly store: Sectors
  readonly notes: string[] = []
  readonly #dead: { close(): void }[] = []
  #device!: BlockDevice
  #session!: BackendSession
  #lives = 0
  readonly driver: VhostUserDriver

  constructor(features: bigint, { sectors = 64, slotBytes = 1024, queueSize = 32 } = {}) {
    this.store = new Sectors(sectors)
    this.driver = VhostUserDriver.connect({
      ...{ features, slotBytes, queueSize },
      transport: () => this.#open(),
      wait: () => void this.#session.poll(),
    })
  }

  turn(): void {
    this.#session.poll()
    work.begin()
    for (const index of this.#session.activeQueues) this.#device.serveQueue(index)
  }

  /** One turn that ends at its `count`th atomic store, as a process does that is killed there; false: it has fewer. */
  dieAt(count: number): boolean {
    const store = Atomics.store.bind(Atomics)
    let left = count
    const spy = vi.spyOn(Atomics, 'store').mockImplementation(((view: Uint8Array, index: number, value: number) => {
      // What is dead stores no more, whatever catches the exception.
      if (left <= 0 || --left === 0) throw new Error('killed')
      return store(view, index, value)
    }) as never)
    try {
      this.turn()
    } catch {
      // It is dead.
    } finally {
      spy.mockRestore()
    }
    return left === 0
  }

  /** The driver connects to a device of another process, as far as it can tell. */
  reconnect(): void {
    this.driver.reconnect()
  }

  close(): void {
    this.driver.close()
    for (const one of this.#dead) one.close()
  }

  #open(): UnixSocket {
    const [mine, transport] = UnixSocket.pair()
    const life = ++this.#lives
    // Another process does not see which areas this one uses.
    const host = { ...linuxHost, fileIdentity: (fd: number) => `${life}:${linuxHost.fileIdentity(fd)}` }
    const device = new BlockDevice({ store: this.store })
    const session = new BackendSession({ transport, device, host, onNote: (line) => this.notes.push(line) })
    this.#device = device
    this.#session = session
    this.#dead.push({
      close: () => {
        session.close()
        device.close()
      },
    })
    return mine
  }
}

const RINGS = [
  ['split', ALL, false],
  ['split, indirect tables', ALL, true],
  ['packed', ALL | PACKED, false],
  ['packed, indirect tables', ALL | PACKED, true],
] as const

describe.skipIf(reason !== null)(`what is in flight${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let before: number
  beforeEach(() => {
    before = processResources().openFds
  })
  afterEach(async () => {
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })

  test.each(RINGS)(
    '%s: a device that is killed at any store loses no request and answers none twice',
    (_, features, indirect) => {
      let points = 0
      for (let point = 1; ; point++) {
        const mortal = new Mortal(features)
        const [ring] = mortal.driver.rings
        expect(hasFeature(mortal.driver.features, VIRTIO_F_RING_PACKED)).toBe((features & PACKED) !== 0n)
        const sent = new Map<number, number>()
        const take = (where: string): void => {
          for (let answer = ring!.receive(); answer !== null; answer = ring!.receive()) {
            expect(sent.delete(answer.token), `${where}: answered once`).toBe(true)
            expect([...answer.bytes], where).toEqual([0])
          }
        }
        const send = (from: number, count: number): void => {
          for (let sector = from; sector < from + count; sector++) {
            const token = ring!.send(writeOf(sector), 1, { indirect })
            expect(token).toBeGreaterThanOrEqual(0)
            sent.set(token, sector)
          }
          ring!.kick()
        }
        // Some are done before, so that places in ring and area are none of the first ones; two lie before the kill.
        send(0, 3)
        mortal.turn()
        take('before')
        send(3, 2)
        const killed = mortal.dieAt(point)
        if (point % 2 === 0) take(`point ${point}, seen before the driver knew`)
        send(5, 1)
        mortal.reconnect()
        const where = `point ${point}`
        for (let turn = 0; turn < 4; turn++) mortal.turn()
        take(where)
        expect(sent.size, `${where}: none is lost`).toBe(0)
        // Every place of ring and area can be used again, more than once around.
        for (let lap = 0; lap < 3; lap++) {
          send(6, 8)
          mortal.turn()
          take(`${where}, lap ${lap}`)
          expect(sent.size, `${where}, lap ${lap}`).toBe(0)
        }
        for (let sector = 0; sector < 14; sector++)
          expect(mortal.store.content[sector * SECTOR], `${where}: sector ${sector}`).toBe(sector + 1)
        mortal.close()
        if (!killed) break
        points++
      }
      expect(points).toBeGreaterThan(5)
    },
  )

  test.each(RINGS)(
    '%s: a device that is killed twice over the same requests gives each back once',
    (_, features, indirect) => {
      const mortal = new Mortal(features)
      const [ring] = mortal.driver.rings
      const tokens = new Set([0, 1, 2, 3].map((sector) => ring!.send(writeOf(sector), 1, { indirect })))
      ring!.kick()
      for (const point of [3, 5]) {
        expect(mortal.dieAt(point)).toBe(true)
        mortal.reconnect()
      }
      mortal.turn()
      for (let answer = ring!.receive(); answer !== null; answer = ring!.receive())
        expect(tokens.delete(answer.token)).toBe(true)
      expect(tokens.size).toBe(0)
      mortal.close()
    },
  )

  test.each(RINGS)(
    '%s: a request of which some steps are done when its device dies is done whole by the next one',
    (_, features, indirect) => {
      const bytes = 3 * 2 ** 20
      const mortal = new Mortal(features, { sectors: bytes / SECTOR, slotBytes: bytes + 4096, queueSize: 4 })
      const [ring] = mortal.driver.rings
      const { content } = mortal.store
      const token = ring!.send(writeOf(0, bytes), 1, { indirect })
      ring!.kick()
      mortal.turn()
      expect([content[0], content.at(-1), ring!.receive()]).toEqual([1, 0, null])
      content.fill(0)
      mortal.reconnect()
      for (let turn = 0; turn < 4; turn++) mortal.turn()
      expect(ring!.receive()).toMatchObject({ token, bytes: Uint8Array.of(0) })
      expect([content.every((byte) => byte === 1), ring!.receive()]).toEqual([true, null])
      mortal.close()
    },
  )
})
