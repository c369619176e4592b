import { EINVAL, ENOSPC, refused } from '@vring/layout'
import { BaseMap } from './base-map.ts'
import { E2BIG, type EbpfMapDefinition, ENOENT } from './ebpf-map.ts'

/** Bytes of records that wait for the reader, for each CPU: as many as 64 pages, libbpf's usual buffer. */
const BUFFER_BYTES = 64 * 4096
const HEADER_BYTES = 4
const CPUS_MAX = 65536

/**
 * Records from programs to a reader, one queue for each CPU. A record that finds no room is lost and counted.
 * Source: Linux kernel/trace/bpf_trace.c, bpf_perf_event_output; an entry without a perf event is ENOENT there.
 */
export class PerfEventArray extends BaseMap {
  readonly values: Uint8Array = new Uint8Array(0)
  /** Records that found no room. */
  lost = 0
  private readonly queues: (PerfQueue | undefined)[]

  /** @param cpus queues that a reader has opened; the kernel's tools open one for each CPU */
  constructor(definition: EbpfMapDefinition, cpus = 1) {
    // libbpf takes as many entries as there are CPUs where the source says none.
    const maxEntries = definition.maxEntries === 0 ? cpus : definition.maxEntries
    super({ ...definition, maxEntries })
    if (maxEntries > CPUS_MAX)
      throw refused('ERR_OUT_OF_RANGE', `map ${this.name}: max entries`, maxEntries, `0 to ${CPUS_MAX}`)
    this.queues = Array.from({ length: maxEntries }, (_, cpu) => (cpu < cpus ? new PerfQueue() : undefined))
  }

  /**
   * Appends a record: bytes of the program, then of the packet.
   *
   * @returns 0, or a negative errno: E2BIG or ENOENT for the CPU, ENOSPC when it is lost
   */
  output(
    cpu: number,
    memory: Uint8Array,
    at: number,
    bytes: number,
    packet: Uint8Array,
    start: number,
    length: number,
  ): number {
    if (cpu >= this.maxEntries) return E2BIG
    const queue = this.queues[cpu]
    if (queue === undefined) return ENOENT
    if (queue.append(memory, at, bytes, packet, start, length)) return 0
    this.lost++
    return ENOSPC
  }

  /** Reads all records, CPU by CPU, oldest first. `read` gets a copy. @returns records that were read */
  drain(read: (cpu: number, record: Uint8Array) => void): number {
    let count = 0
    this.queues.forEach((queue, cpu) => {
      for (let record = queue?.take(); record !== undefined; record = queue?.take()) {
        read(cpu, record)
        count++
      }
    })
    return count
  }

  find(): number {
    return -1
  }

  update(): number {
    return EINVAL
  }

  delete(): number {
    return EINVAL
  }

  keys(): Uint8Array[] {
    return []
  }
}

/** Records one after the other in a ring of bytes: length, contents. */
class PerfQueue {
  private readonly ring = new Uint8Array(BUFFER_BYTES)
  private head = 0
  private tail = 0

  append(memory: Uint8Array, at: number, bytes: number, packet: Uint8Array, start: number, length: number): boolean {
    const total = bytes + length
    if (HEADER_BYTES + total > BUFFER_BYTES - (this.head - this.tail)) return false
    for (let i = 0; i < HEADER_BYTES; i++) this.put((total >>> (8 * i)) & 0xff)
    for (let i = 0; i < bytes; i++) this.put(memory[at + i]!)
    for (let i = 0; i < length; i++) this.put(packet[start + i]!)
    return true
  }

  take(): Uint8Array | undefined {
    if (this.tail === this.head) return undefined
    let total = 0
    for (let i = 0; i < HEADER_BYTES; i++) total |= this.get() << (8 * i)
    return Uint8Array.from({ length: total }, () => this.get())
  }

  private put(byte: number): void {
    this.ring[this.head++ % BUFFER_BYTES] = byte
  }

  private get(): number {
    return this.ring[this.tail++ % BUFFER_BYTES]!
  }
}
