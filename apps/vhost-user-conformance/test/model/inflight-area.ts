import { closeFd, createMemfd, Mapping } from '@vring/linux'
import type { ModelRing } from './ring.ts'

const HEAD = 16
const ENTRY = 16
const PACKED_HEAD = 32
const PACKED_ENTRY = 32

/** The area of the vhost-user document, section "Inflight I/O tracking". */
export class InflightArea {
  readonly fd: number
  readonly size: number
  readonly queues: number
  readonly queueSize: number
  readonly packed: boolean
  readonly view: DataView
  readonly #mapping: Mapping
  readonly #fault: (name: string) => boolean
  #counter = 0n

  constructor(
    fd: number,
    size: number,
    queues: number,
    queueSize: number,
    packed: boolean,
    fault: (name: string) => boolean,
  ) {
    this.fd = fd
    this.size = size
    this.queues = queues
    this.queueSize = queueSize
    this.packed = packed
    this.#fault = fault
    this.#mapping = Mapping.of(fd, { length: size })
    this.view = new DataView(this.#mapping.buffer)
  }

  static bytes(queues: number, queueSize: number, packed: boolean): number {
    return queues * (packed ? PACKED_HEAD + PACKED_ENTRY * queueSize : HEAD + ENTRY * queueSize)
  }

  static create(queues: number, queueSize: number, packed: boolean, fault: (name: string) => boolean): InflightArea {
    const size = InflightArea.bytes(queues, queueSize, packed)
    const fd = createMemfd('model-inflight', Math.ceil(size / 4096) * 4096)
    const area = new InflightArea(fd, size, queues, queueSize, packed, fault)
    for (let queue = 0; queue < queues; queue++) {
      const at = (queue * size) / queues
      area.view.setUint16(at + 8, fault('inflight-no-version') ? 0 : 1, true)
      area.view.setUint16(at + 10, queueSize, true)
      if (fault('inflight-dirty')) area.view.setUint8(at + (packed ? PACKED_HEAD : HEAD), 1)
    }
    return area
  }

  begin({ index }: ModelRing, head: number): void {
    if (this.packed) return
    const at = this.#at(index) + HEAD + ENTRY * head
    this.view.setBigUint64(at + 8, this.#counter++, true)
    this.view.setUint8(at, 1)
  }

  finish({ index }: ModelRing, head: number): void {
    if (!this.packed && !this.#fault('inflight-keeps')) this.view.setUint8(this.#at(index) + HEAD + ENTRY * head, 0)
    if (this.packed && this.#fault('inflight-keeps')) this.view.setUint8(this.#at(index) + PACKED_HEAD, 1)
  }

  publish({ index, used }: ModelRing): void {
    if (!this.packed) this.view.setUint16(this.#at(index) + 14, used, true)
  }

  /** What a ring has in flight, in the order in which it was taken. */
  pending({ index, size }: ModelRing): number[] {
    if (this.packed || index >= this.queues || this.#fault('inflight-forgets')) return []
    const at = (head: number): number => this.#at(index) + HEAD + ENTRY * head
    return Array.from({ length: size }, (_, head) => head)
      .filter((head) => this.view.getUint8(at(head)) === 1)
      .sort((a, b) => Number(this.view.getBigUint64(at(a) + 8, true) - this.view.getBigUint64(at(b) + 8, true)))
  }

  close(): void {
    this.#mapping.unmap()
    closeFd(this.fd)
  }

  #at(index: number): number {
    return (index * this.size) / this.queues
  }
}
