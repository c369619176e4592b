import { refused, VIRTIO_F_RING_PACKED, VringError } from '@vring/layout'
import { LazyView } from '@vring/memory'
import type { MappedMemory, SessionHost } from '../host/session-host.ts'
import type { InflightPayload } from '../messages/payload.ts'
import type { SessionNegotiation } from '../session/session-negotiation.ts'
import { InflightPacked, inflightPackedBytes } from './inflight-packed.ts'
import { InflightSplit, inflightSplitBytes } from './inflight-split.ts'

/** Each ring's part of the area begins at a multiple of this, in bytes, as DPDK and libvhost-user have it. */
export const INFLIGHT_ALIGN = 64
/** The area is whole pages: it is mapped. */
const PAGE_BYTES = 4096

/** Areas that sessions of this process write, by file and offset. */
const inUse = new Set<string>()

interface Area {
  readonly key: string
  readonly memory: MappedMemory
  readonly buffer: ArrayBufferLike
  readonly at: number
  readonly queueCount: number
  readonly queueSize: number
  readonly packed: boolean
}

/**
 * The area in which a device notes its requests in flight: made for a frontend that asks, or given back by one whose last
 * backend died. The frontend can write it at any time, so nothing in it is believed.
 */
export class SessionInflight {
  readonly #host: SessionHost
  readonly #negotiation: SessionNegotiation
  readonly #queueCountMax: number
  #area: Area | null = null

  constructor(host: SessionHost, negotiation: SessionNegotiation, queueCountMax: number) {
    this.#host = host
    this.#negotiation = negotiation
    this.#queueCountMax = queueCountMax
  }

  /**
   * A new area (GET_INFLIGHT_FD), used from now on.
   *
   * @param rings running: none may
   * @returns what is answered, and the descriptor that goes with it, which the caller closes
   * @throws VringError
   */
  create(asked: InflightPayload, rings: number): { readonly payload: InflightPayload; readonly fd: number } {
    this.#checkStopped('GET_INFLIGHT_FD', rings)
    const bytes = this.#bytes(asked)
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
    const fd = this.#host.createMemory(size)
    try {
      const payload = { ...asked, size, offset: 0 }
      this.#use(fd, payload, bytes)
      return { payload, fd }
    } catch (error) {
      this.#host.closeFd(fd)
      throw error
    }
  }

  /**
   * The area that a backend before this one wrote (SET_INFLIGHT_FD).
   *
   * @throws VringError; the area before stays
   */
  replace(fd: number, given: InflightPayload, rings: number): void {
    this.#checkStopped('SET_INFLIGHT_FD', rings)
    const bytes = this.#bytes(given)
    if (given.size < bytes)
      throw refused('ERR_OUT_OF_RANGE', 'inflight size', given.size, `at least ${bytes} for ${shape(given)}`)
    if (given.offset % 8 !== 0) throw refused('ERR_MISALIGNED', 'inflight offset', given.offset, 'a multiple of 8')
    this.#use(fd, given, bytes)
  }

  /**
   * A ring's part of the area; null without an area, or for a ring that it does not have.
   *
   * @throws VringError ERR_OUT_OF_RANGE for a ring of another size than it was made for
   */
  queue(index: number, queueSize: number): InflightSplit | InflightPacked | null {
    const area = this.#area
    if (area === null || index >= area.queueCount) return null
    if (queueSize !== area.queueSize)
      throw refused('ERR_OUT_OF_RANGE', 'queue size', queueSize, `${area.queueSize}, that of the inflight area`)
    if (area.packed !== this.#negotiation.has(VIRTIO_F_RING_PACKED))
      throw refused(
        'ERR_PROTOCOL',
        'inflight area',
        area.packed ? 'of packed rings' : 'of split rings',
        'of the ring format',
      )
    const at = area.at + index * queueBytes(area.queueSize, area.packed)
    return area.packed ? new InflightPacked(area.buffer, at, queueSize) : new InflightSplit(area.buffer, at, queueSize)
  }

  /** Pages of the area turned out not to exist: what is noted there no other process sees. */
  get faulted(): boolean {
    return (this.#area?.memory.faults ?? 0) > 0
  }

  /** Gives the area back; all rings have stopped. */
  close(): void {
    const area = this.#area
    this.#area = null
    if (area === null) return
    inUse.delete(area.key)
    area.memory.close()
  }

  #use(fd: number, { offset, queueCount, queueSize }: InflightPayload, bytes: number): void {
    const key = `${this.#host.fileIdentity(fd)}:${offset}`
    if (inUse.has(key) && this.#area?.key !== key)
      throw new VringError('ERR_INVALID_STATE', 'SET_INFLIGHT_FD: the area is in use by another session', {
        field: 'inflight descriptor',
        value: fd,
      })
    const memory = this.#host.mapMemory(fd, offset, bytes)
    const [window] = memory.windows
    if (memory.windows.length !== 1 || window === undefined) {
      memory.close()
      throw refused('ERR_OUT_OF_RANGE', 'inflight size', bytes, 'one window of memory')
    }
    this.close()
    inUse.add(key)
    const packed = this.#negotiation.has(VIRTIO_F_RING_PACKED)
    const view = window.view instanceof LazyView ? window.view.make() : window.view
    this.#area = { key, memory, buffer: view.buffer, at: window.viewOffset, queueCount, queueSize, packed }
  }

  /** Bytes of the whole area. */
  #bytes(asked: InflightPayload): number {
    const { queueCount, queueSize } = asked
    const most = this.#queueCountMax
    if (queueCount < 1 || queueCount > most)
      throw refused('ERR_OUT_OF_RANGE', 'inflight queues', queueCount, `1 to ${most}, the queues of the device`)
    if (queueSize < 1 || queueSize > 32768)
      throw refused('ERR_OUT_OF_RANGE', 'inflight queue size', queueSize, '1 to 32768')
    return queueCount * queueBytes(queueSize, this.#negotiation.has(VIRTIO_F_RING_PACKED))
  }

  #checkStopped(name: string, rings: number): void {
    if (rings > 0)
      throw new VringError('ERR_INVALID_STATE', `${name}: ${rings} rings are running; GET_VRING_BASE stops them`, {
        field: name,
      })
  }
}

/** Bytes from one ring's part to the next. */
export function queueBytes(queueSize: number, packed: boolean): number {
  const bytes = packed ? inflightPackedBytes(queueSize) : inflightSplitBytes(queueSize)
  return Math.ceil(bytes / INFLIGHT_ALIGN) * INFLIGHT_ALIGN
}

function shape({ queueCount, queueSize }: InflightPayload): string {
  return `${queueCount} queues of ${queueSize}`
}
