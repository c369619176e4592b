import { iotlbTranslated } from '@vring/accessor-iotlb-translated'
import { featureSet, hasFeature, VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_RING_PACKED } from '@vring/layout'
import { processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { BackendSession, IOTLB_INVALIDATE, linuxHost, VhostUserDriver } from '@vring/vhost-user'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BlockDevice, type BlockDeviceOptions, type BlockStore } from './index.ts'

const reason = unsupportedHost()
const ALL = 2n ** 20n - 1n
const FORMATS = [
  ['split', ALL],
  ['packed', ALL | featureSet(VIRTIO_F_RING_PACKED)],
] as const

function header(type: number, sector: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint32(0, type, true)
  view.setBigUint64(8, BigInt(sector), true)
  return new Uint8Array(view.buffer)
}

const store: BlockStore = {
  bytes: 65_536,
  read: (offset, into) => {
    for (const view of into) view.fill(offset / 512)
  },
  write: () => {},
  flush: () => {},
}

/** A device that notes nothing of what is in flight. */
class Forgetful extends BlockDevice {
  override readonly tracksInflight: boolean = false
}

/** A driver and the devices that serve it one after the other, in one thread. */
class Rig {
  readonly notes: string[] = []
  afterTurn = (): void => {}
  readonly driver: VhostUserDriver
  readonly #make: () => BlockDevice
  #device: BlockDevice | null = null
  session: BackendSession | null = null

  constructor(make: () => BlockDevice, features: bigint) {
    this.#make = make
    this.driver = VhostUserDriver.connect({
      ...{ features, queueSize: 16, slotBytes: 2048 },
      transport: () => this.#open(),
      wait: () => {
        this.turn()
        this.afterTurn()
      },
    })
  }

  turn(): void {
    this.session!.poll()
    for (const index of this.session!.activeQueues) this.#device!.serveQueue(index)
  }

  /** Reads a sector; what its bytes say. */
  read(sector: number): number {
    const { bytes } = this.driver.request(0, [header(0, sector)], 513)
    expect([bytes.length, bytes[512]]).toEqual([513, 0])
    return bytes[0]!
  }

  end(): void {
    this.session?.close()
    this.#device?.close()
  }

  close(): void {
    this.driver.close()
    this.end()
  }

  #open(): UnixSocket {
    this.end()
    const [mine, transport] = UnixSocket.pair()
    this.#device = this.#make()
    this.session = new BackendSession({
      ...{ transport, device: this.#device, host: linuxHost },
      onNote: (line) => this.notes.push(line),
    })
    return mine
  }
}

describe.skipIf(reason !== null)(`the frontend${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let before: number
  beforeEach(() => {
    before = processResources().openFds
  })
  afterEach(async () => {
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })

  const translating: BlockDeviceOptions = { store, accessor: iotlbTranslated }

  test.each(FORMATS)('%s rings by IOVAs: tells translations, and again what the device misses', (_, features) => {
    const rig = new Rig(() => new BlockDevice(translating), features | featureSet(VIRTIO_F_ACCESS_PLATFORM))
    const { driver } = rig
    expect(hasFeature(driver.features, VIRTIO_F_ACCESS_PLATFORM)).toBe(true)
    expect(rig.read(3)).toBe(3)
    const { guestAddress, userAddress, size } = driver.memory.region
    const forget = (): void =>
      void driver.frontend.call('IOTLB_MSG', {
        ...{ iova: guestAddress, size, userAddress, permission: 0, type: IOTLB_INVALIDATE },
      })
    for (let sector = 4; sector < 40; sector++) {
      // Once around the ring and more; the device knows nothing of it each third time, and asks.
      if (sector % 3 === 0) {
        forget()
        expect(rig.session!.iotlb.entries.length).toBe(0)
      }
      expect(rig.read(sector)).toBe(sector)
    }
    expect(rig.session!.iotlb.entries.length).toBeGreaterThan(0)
    driver.reconnect()
    expect(rig.read(41)).toBe(41)
    rig.close()
  })

  test.each(FORMATS)('%s rings: the device signals each answer that the driver waits for', (_, features) => {
    const rig = new Rig(() => new BlockDevice({ store }), features)
    let signalled = 0
    rig.afterTurn = () => {
      if (rig.driver.rings[0]!.signals!.call.drain()) signalled++
    }
    for (let sector = 0; sector < 40; sector++) expect(rig.read(sector)).toBe(sector)
    expect(signalled).toBe(40)
    rig.close()
  })

  test.each(FORMATS)('%s rings go on where they were with the next device, though nothing is noted', (_, features) => {
    const rig = new Rig(() => new Forgetful({ store }), features)
    for (let life = 0; life < 5; life++) {
      for (let sector = 0; sector < 7; sector++) expect(rig.read(sector)).toBe(sector)
      rig.end()
      rig.driver.reconnect()
    }
    expect(rig.read(9)).toBe(9)
    expect(rig.notes).toEqual([])
    rig.close()
  })

  test.each(FORMATS)('%s rings: a device without a feature that was negotiated is refused', (_, features) => {
    let make = (): BlockDevice => new BlockDevice({ store, queues: 2 })
    const rig = new Rig(() => make(), features)
    expect(rig.read(1)).toBe(1)
    rig.end()
    make = () => new BlockDevice({ store })
    expect(() => rig.driver.reconnect()).toThrow('as before')
    rig.close()
  })
})
