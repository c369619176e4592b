import { AREAS, featureSet, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC } from '@vring/layout'
import { type ChainBatch, encodeIndirectTable } from '../src/index.ts'
import { type FlatQueue, type FlatQueueOptions, flatQueue } from './flat-queue.ts'
import { WatchingCpu } from './watching-cpu.ts'

export const FORMATS = ['split', 'packed'] as const

/** A queue whose port watches. */
export interface WatchedQueue extends FlatQueue {
  readonly cpu: WatchingCpu
  /** Ring accesses and barriers since the last reset, such as `load driver+2 ordered`. */
  traffic(): string[]
}

/** A queue with indirect tables and EVENT_IDX, unless `features` say otherwise. */
export function watchedQueue(options: FlatQueueOptions): WatchedQueue {
  const cpu = new WatchingCpu()
  const features = featureSet(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX)
  const q = flatQueue({ features, ...options, cpu })
  const traffic = (): string[] =>
    cpu.accesses.flatMap(({ step, at, ordered }) => {
      const area = AREAS.find((one) => at >= q.ring[one].address && at < q.ring[one].address + q.ring[one].length)
      if (area === undefined) return step.endsWith('mb') ? [step] : []
      return [`${step} ${area}+${at - q.ring[area].address}${ordered ? ' ordered' : ''}`]
    })
  return { ...q, cpu, traffic }
}

/** Writes an indirect table of `entries` readable buffers and adds it. */
export function addTable(q: FlatQueue, at: number, entries: number): void {
  const buffers = Array.from({ length: entries }, (_, entry) => ({
    address: q.heap + 0x100 * entry,
    length: 100 + entry,
  }))
  q.space.view.u8.set(encodeIndirectTable(q.ring.format, buffers), at)
  q.driver.addIndirect(at, entries)
}

/** One chain of each kind: single, three descriptors, an indirect table, and one that no word boundary meets. */
export function addEveryKind(q: FlatQueue): void {
  q.driver.addOne(q.heap, 60, false)
  q.driver.addOne(q.heap + 0x40, 61, false)
  q.driver.add([0, 1, 2].map((part) => ({ address: q.heap + 0x100 * part, length: 10 + part })))
  addTable(q, q.heap + 0x2000, 3)
  addTable(q, q.heap + 0x3001, 2)
  q.driver.publish()
}

/** What a batch says of its chains. */
export const columns = ({ count, used, segStart, writeStart, address, length }: ChainBatch): unknown => ({
  ids: Array.from({ length: count }, (_, chain) => used[2 * chain]),
  segStart: [...segStart.subarray(0, count + 1)],
  writeStart: [...writeStart.subarray(0, count)],
  address: [...address.subarray(0, segStart[count])],
  length: [...length.subarray(0, segStart[count])],
})
