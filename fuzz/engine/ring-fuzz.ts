import {
  featureSet,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from '@vring/layout'
import { type FlatQueue, flatQueue, WAYS } from '../../packages/virtqueue/test/flat-queue.ts'
import { expectThat, type FuzzTarget } from './target.ts'

const QUEUE_SIZE = 8
const HEADER_BYTES = 2
/** What to do, and three bytes that say how. */
const STEP_BYTES = 4
/** Where a step may write beside the ring: indirect tables, and buffers. */
const HEAP_BYTES = 1024
/** Chains of a batch that a step may ask for. */
const MAX_CHAINS = 16

/** One way through a ring, and what is compared with the other. */
class Device {
  readonly queue: FlatQueue
  readonly format: 'split' | 'packed'
  taken = 0

  constructor(format: 'split' | 'packed', features: bigint, way: (typeof WAYS)[number]) {
    this.format = format
    this.queue = flatQueue({ way, format, queueSize: QUEUE_SIZE, features })
  }

  /** Does a step; gives back what can be seen of it. */
  step(what: number, a: number, b: number, c: number): string {
    const { device, batch, raw, space, ring, heap } = this.queue
    const value = b | (c << 8)
    switch (what % 14) {
      case 0:
        raw.desc.store16(2 * (a % (8 * QUEUE_SIZE)), value)
        return ''
      case 1:
        raw.driver.store16(2 * (a % (ring.driver.length >> 1)), value)
        return ''
      case 2:
        space.view.u16[(heap + 2 * ((a << 1) % (HEAP_BYTES >> 1))) >> 1] = value
        return ''
      case 3:
        this.#describe(ring.desc.address + 16 * (a % QUEUE_SIZE), b, c)
        return ''
      case 4:
        this.#describe(heap + 16 * (a % 32), b, c)
        return ''
      case 5:
        this.#makeAvailable(a)
        return ''
      case 6:
      case 7: {
        const max = 1 + (a % MAX_CHAINS)
        const count = device.popBatch(batch, max)
        this.taken = Math.max(0, count)
        expectThat(count <= max, `${count} chains, ${max} were asked for`)
        return `pop ${count} ${this.#chains()}`
      }
      case 8: {
        const count = Math.min(this.taken, a % (MAX_CHAINS + 1))
        this.taken -= count
        device.rewind(batch, count)
        return `rewind ${device.base}`
      }
      case 9: {
        const count = this.taken
        this.taken = 0
        return `use ${device.useBatch(batch, count)}`
      }
      case 10: {
        for (let chain = 0; chain < this.taken; chain++) device.push(batch, chain, value)
        this.taken = 0
        return `flush ${device.flush()}`
      }
      case 11:
        return `wants ${device.needsNotification()}`
      case 12: {
        if ((a & 1) === 0) return `enable ${device.enableNotification()}`
        device.disableNotification()
        return 'disable'
      }
      default:
        // Memory ends inside the ring, or nowhere.
        space.end = (a & 3) === 0 ? ring.desc.address + 16 * (b % QUEUE_SIZE) : 1 << 20
        return ''
    }
  }

  /** A descriptor with flags and next of the input, whose buffer is memory. */
  #describe(at: number, flags: number, next: number): void {
    const { u32, u16 } = this.queue.space.view
    u32[at >> 2] = this.queue.heap + 16 * (next & 31)
    u32[(at >> 2) + 1] = 0
    u32[(at >> 2) + 2] = 16 * (1 + (flags >> 4))
    const low = this.format === 'split' ? flags & 7 : next & 15
    const high = this.format === 'split' ? next & 15 : (u16[(at + 14) >> 1]! & ~7) | (flags & 7)
    u16[(at + 12) >> 1] = low
    u16[(at + 14) >> 1] = high
  }

  /** Split: the avail index goes on. Packed: a descriptor is of this turn of the ring, or of the next. */
  #makeAvailable(a: number): void {
    const { raw, space, ring } = this.queue
    if (this.format === 'split') {
      raw.driver.store16(2, (raw.driver.load16(2) + (a & 7)) & 0xffff)
      return
    }
    const at = (ring.desc.address + 16 * (a % QUEUE_SIZE) + 14) >> 1
    const flags = space.view.u16[at]! & ~(VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)
    space.view.u16[at] = flags | ((a & 0x80) === 0 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)
  }

  #chains(): string {
    const { batch } = this.queue
    let text = `${batch.descriptors}:`
    for (let chain = 0; chain < this.taken; chain++) {
      // In a batch where every chain is one segment, the index columns are of an older one.
      const first = batch.uniform ? chain : batch.segStart[chain]!
      const end = batch.uniform ? chain + 1 : batch.segStart[chain + 1]!
      expectThat(end - first <= 1024, `a chain of ${end - first} segments`)
      text += ` ${batch.used[2 * chain]}`
      for (let segment = first; segment < end; segment++) text += `,${batch.address[segment]}+${batch.length[segment]}`
    }
    return text
  }

  /** What the device may write to, as it is. */
  memory(): string {
    const { space, ring } = this.queue
    const bytes = [ring.desc, ring.device].map(({ address, length }) =>
      Buffer.from(space.view.buffer as ArrayBuffer, address, length).toString('latin1'),
    )
    return bytes.join('|')
  }

  /** What it has written, and where it is. */
  state(): string {
    const { broken, base, pending } = this.queue.device
    return `${broken} ${base} ${pending} ${this.memory()}`
  }
}

/** A ring whose driver writes what it likes between any two steps of the device. */
export function ringTarget(format: 'split' | 'packed'): FuzzTarget {
  return {
    name: `${format}-ring`,
    description:
      'a driver that writes what it likes: the loop over a lease and the one by windows do the same, nothing is thrown, and a broken ring is not touched again',
    unit: 'ring operations',
    maxBytes: 1024,
    seeds: [seed(0), seed(1), seed(3), seed(7)],
    run(input) {
      if (input.length < HEADER_BYTES) return 1
      const features = featureSet(
        ...(input[0]! & 1 ? [VIRTIO_F_EVENT_IDX] : []),
        ...(input[0]! & 2 ? [VIRTIO_F_INDIRECT_DESC] : []),
        ...(input[0]! & 4 ? [VIRTIO_F_IN_ORDER] : []),
      )
      const [one, other] = WAYS.map((way) => new Device(format, features, way)) as [Device, Device]
      let operations = 0
      for (let at = HEADER_BYTES; at + STEP_BYTES <= input.length; at += STEP_BYTES, operations += 2) {
        const broken = one.queue.device.broken === null ? null : one.memory()
        const [what, a, b, c] = input.subarray(at, at + STEP_BYTES) as unknown as [number, number, number, number]
        const found = one.step(what, a, b, c)
        const expected = other.step(what, a, b, c)
        expectThat(found === expected, `step ${operations >> 1}: by windows ${found}, over a lease ${expected}`)
        if (broken !== null && what % 14 >= 6 && what % 14 < 13)
          expectThat(one.memory() === broken, `step ${operations >> 1} changed a broken ring`)
      }
      const [found, expected] = [one.state(), other.state()]
      expectThat(found === expected, `in the end: by windows ${found}, over a lease ${expected}`)
      return Math.max(1, operations)
    },
  }
}

/** Four descriptors, made available, taken, used, and told of. */
function seed(features: number): Uint8Array {
  const steps: number[][] = []
  for (let round = 0; round < 3; round++) {
    for (let slot = 0; slot < 4; slot++) steps.push([3, slot, slot === 1 ? 1 : 0x20, slot + 1])
    for (let slot = 0; slot < 4; slot++) steps.push([1, 2 + slot, slot, 0], [5, slot, 0, 0])
    steps.push([6, 8, 0, 0], [9, 0, 0, 0], [11, 0, 0, 0], [12, 0, 0, 0], [5, 1, 0, 0], [6, 0, 0, 0], [10, 0, 16, 0])
  }
  return Uint8Array.from([features, 0, ...steps.flat()])
}
