import type { FrameBatch, NetBackend, NetBackendCounters } from '@vring/vhost-net'
import type { CaptureFile } from './capture-file.ts'
import { EPB_OUTBOUND } from './pcapng-format.ts'

export interface PcapBackendOptions {
  /** Name of the interface in the capture; default `tx-0`. */
  readonly interfaceName?: string
  /** In its place: an interface that the file has already. */
  readonly interfaceId?: number
  /** Where frames go after they were captured; default nowhere. */
  readonly next?: NetBackend
}

/**
 * Captures the frames that a driver sends, without their virtio-net headers, and hands them on. A capture that fails does
 * not stop the traffic: frames go on to `next`; without one they count as dropped.
 */
export class PcapBackend implements NetBackend {
  readonly name: string
  private readonly file: CaptureFile
  private readonly interface: number
  private readonly next: NetBackend | null
  /** Frames at the front of the next batch that were captured already, as `next` had no room for them. */
  private recorded = 0
  private frames = 0
  private bytes = 0

  constructor(file: CaptureFile, options: PcapBackendOptions = {}) {
    this.file = file
    this.next = options.next ?? null
    this.interface = options.interfaceId ?? file.addInterface(options.interfaceName ?? 'tx-0')
    this.name = this.next === null ? 'pcap' : `pcap+${this.next.name}`
  }

  transmit(frames: FrameBatch): number {
    const { count, offset, length, headerBytes } = frames
    const { view } = frames
    const file = this.file
    file.stamp()
    for (let i = Math.min(this.recorded, count); i < count; i++)
      file.write(this.interface, view, offset[i]! + headerBytes, length[i]! - headerBytes, EPB_OUTBOUND)
    const taken = this.next === null ? count : this.next.transmit(frames)
    this.recorded = Math.max(this.recorded, count) - taken
    for (let i = 0; i < taken; i++) this.bytes += length[i]! - headerBytes
    this.frames += taken
    return taken
  }

  flush(): void {
    this.next?.flush()
  }

  /** One before a backend that writes to frames gets copies, as that one would. */
  get needsCopy(): boolean {
    return this.next?.needsCopy === true
  }

  get unsent(): boolean {
    return this.next?.unsent === true
  }

  get roomFd(): number {
    return this.next?.roomFd ?? -1
  }

  forgetMemory(): void {
    this.next?.forgetMemory?.()
  }

  get counters(): NetBackendCounters {
    if (this.next !== null) return this.next.counters
    const reason = this.file.trouble ?? 'capture'
    const lost = this.file.lostFrames(this.interface)
    return { txFrames: this.frames, txBytes: this.bytes, txDropped: lost > 0 ? { [reason]: lost } : {} }
  }

  /** Writes out what has gathered and closes `next`; the file stays open for other queues. */
  close(): void {
    this.file.sync()
    this.next?.close()
  }
}
