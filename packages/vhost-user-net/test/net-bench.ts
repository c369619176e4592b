import { vmapDirect } from '@vring/accessor-vmap-direct'
import { featureSet, type RingAreas, splitRingAreas, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { EventFd, processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { XdpBackend } from '@vring/vhost-net'
import { BackendSession, FrontendMemory, linuxHost, VhostUserFrontend } from '@vring/vhost-user'
import { createDriverQueue, type DriverQueue } from '@vring/virtqueue'
import { Xdp1 } from '@vring/xdp'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { NetDevice, type NetDeviceOptions } from '../src/index.ts'

export const reason = unsupportedHost()
export const FEATURES = featureSet(VIRTIO_F_VERSION_1)
export const GUEST = 0x8000_0000
export const BUFFERS = 0x8_0000

/** A device, its session and a driver over a socket pair, in one thread. */
export class NetBench {
  readonly memory = new FrontendMemory({ bytes: 1 << 20, guestAddress: GUEST })
  readonly backend = new XdpBackend(new Xdp1())
  readonly device: NetDevice
  readonly session: BackendSession
  readonly frontend: VhostUserFrontend

  constructor(options: Partial<NetDeviceOptions> = {}, features: bigint = FEATURES) {
    const [one, transport] = UnixSocket.pair()
    this.device = new NetDevice({ accessor: vmapDirect, backend: () => this.backend, ...options })
    this.session = new BackendSession({ transport, device: this.device, host: linuxHost })
    this.frontend = new VhostUserFrontend({ transport: one, wait: () => void this.session.poll() })
    this.frontend.negotiate(features)
    this.frontend.shareMemory([this.memory])
    // The view is the one of the address that was resolved last.
    this.memory.space.resolve(this.memory.region.userAddress, 4, 1)
  }

  ring(index: number): RingAreas {
    const at = this.memory.region.userAddress + 0x1_0000 * index
    return splitRingAreas(256, false, at, at + 0x4000, at + 0x8000)
  }

  driver(index: number): DriverQueue {
    const ring = this.ring(index)
    const driver = createDriverQueue({ ring, memory: this.memory.space, features: FEATURES })
    this.frontend.startQueue(index, ring)
    return driver
  }

  /** Starts a ring that was stopped, and does not enable it. @returns what the driver kicks with */
  start(index: number, base: number): EventFd {
    const kick = EventFd.create()
    this.frontend.callAll([
      ['SET_VRING_ENABLE', { index, num: 0 }],
      ['SET_VRING_BASE', { index, num: base }],
      ['SET_VRING_KICK', { index, hasFd: true }, [kick.fd]],
    ])
    return kick
  }

  /** Writes `count` UDP frames, each with a size of its own, and makes them available. */
  send(driver: DriverQueue, count: number): void {
    const { u8 } = this.memory.space.view
    for (const [i, size] of this.sizes(count).entries()) {
      u8.set([0x08, 0x00, 0x45], BUFFERS + 2048 * (i % 64) + 12 + 12)
      u8[BUFFERS + 2048 * (i % 64) + 12 + 14 + 9] = 17
      driver.addOne(GUEST + BUFFERS + 2048 * (i % 64), 12 + size, false)
    }
    driver.publish()
  }

  /** Bytes of the frames that {@link send} sends. */
  sizes(count: number): number[] {
    return Array.from({ length: count }, (_, i) => 64 + i)
  }

  close(): void {
    this.frontend.close()
    this.session.poll()
    this.memory.close()
  }
}

/** Closes the bench of each test of a group, and waits until as many descriptors are open as before the test. */
export function closeAfterEach(bench: () => NetBench): void {
  let before: number
  beforeEach(() => {
    before = processResources().openFds
  })
  afterEach(async () => {
    bench().close()
    await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
  })
}
