import { AVAIL_RING_OFFSET, DESC_BYTES, DESC_LEN_OFFSET, VIRTQ_DESC_F_NEXT } from '@vring/layout'
import { ACCESS_READ } from '@vring/memory'
import { type ChainBatch, type DeviceQueueOptions, SplitDeviceQueue } from '@vring/virtqueue'

/** Of a descriptor: flags, and next in the upper half. */
const FLAGS_AND_NEXT = 12
const TABLE_BYTES_MAX = DESC_BYTES * 65_536

/** CVE-2026-86846: the head that was checked is loaded again where it is used. */
export class TwiceReadHeadQueue extends SplitDeviceQueue {
  override popBatch(batch: ChainBatch, max: number): number {
    const first = this.base
    const count = super.popBatch(batch, max)
    const { driver } = this.accessor
    for (let chain = 0; chain < count; chain++)
      batch.used[2 * chain] = driver.load16(AVAIL_RING_OFFSET + 2 * ((first + chain) & (this.queueSize - 1)))
    return count
  }
}

/** CVE-2026-86848: the `next` that was checked is loaded again where it is followed. */
export class TwiceReadNextQueue extends SplitDeviceQueue {
  override popBatch(batch: ChainBatch, max: number): number {
    const count = super.popBatch(batch, max)
    if (count < 1 || batch.segStart[1] !== 2) return count
    const { desc } = this.accessor
    const next = desc.load32(DESC_BYTES * batch.idOf(0) + FLAGS_AND_NEXT) >>> 16
    batch.address[1] = desc.load32(DESC_BYTES * next)
    return count
  }
}

/** CVE-2026-93683: the table whose length was checked is walked by a length that is loaded again. */
export class TwiceReadTableQueue extends SplitDeviceQueue {
  readonly #options: DeviceQueueOptions
  readonly #words = new Uint32Array(4)

  constructor(options: DeviceQueueOptions) {
    super(options)
    this.#options = options
  }

  /** Takes the ring's first chain, whose head is an indirect descriptor. */
  override popBatch(batch: ChainBatch): number {
    const words = this.#words
    const { desc, driver } = this.accessor
    const head = driver.load16(AVAIL_RING_OFFSET)
    desc.loadWords(DESC_BYTES * head, words, 0, 4)
    const bytes = words[2]!
    if (bytes === 0 || bytes % DESC_BYTES !== 0 || bytes > TABLE_BYTES_MAX) return this.latch('indirect-length')
    const entries = desc.load32(DESC_BYTES * head + DESC_LEN_OFFSET) / DESC_BYTES
    const table = words[0]!
    let segments = 0
    for (let next = 0; next < entries; next = words[3]! >>> 16) {
      this.#load(table + DESC_BYTES * next)
      batch.address[segments++] = words[0]!
      if ((words[3]! & VIRTQ_DESC_F_NEXT) !== 0) continue
      batch.part()
      batch.used[0] = head
      batch.segStart[1] = segments
      return 1
    }
    return this.latch('next-out-of-range')
  }

  #load(address: number): void {
    const { cpu, buffers } = this.#options
    cpu.loadWords(buffers.view.u32, buffers.resolve(address, DESC_BYTES, ACCESS_READ) >>> 2, this.#words, 0, 4)
  }
}
