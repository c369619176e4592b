import { refused, VHOST_F_LOG_ALL } from '@vring/layout'
import { DirtyBitmap, LazyView, noDirtyLog } from '@vring/memory'
import type { MappedMemory, MemoryWindow, SessionHost } from '../host/session-host.ts'
import type { SessionMemory } from './session-memory.ts'
import type { SessionNegotiation } from './session-negotiation.ts'

/**
 * Bytes that a dirty log may have: enough for 16 TiB of guest-physical addresses.
 */
const LOG_BYTES_MAX = 2 ** 29

/** The bitmap that a migrating frontend shares: written while there is one and VHOST_F_LOG_ALL is negotiated. */
export class SessionLog {
  readonly #host: SessionHost
  readonly #memory: SessionMemory
  readonly #negotiation: SessionNegotiation
  #mapped: MappedMemory | null = null
  #bytes: Uint8Array | null = null
  #window: MemoryWindow | null = null

  constructor(host: SessionHost, memory: SessionMemory, negotiation: SessionNegotiation) {
    this.#host = host
    this.#memory = memory
    this.#negotiation = negotiation
  }

  /**
   * Maps the bitmap that the frontend gives (SET_LOG_BASE), in place of the one before.
   *
   * @param size bytes from `offset` of the file
   * @throws VringError ERR_OUT_OF_RANGE for a size, and what mapping throws; the log before stays
   */
  replace(fd: number, offset: number, size: number): void {
    if (size > LOG_BYTES_MAX) throw refused('ERR_OUT_OF_RANGE', 'log size', size, `at most ${LOG_BYTES_MAX}`)
    const mapped = this.#host.mapMemory(fd, offset, size)
    const [window] = mapped.windows
    if (mapped.windows.length !== 1 || window === undefined) {
      mapped.close()
      throw refused('ERR_OUT_OF_RANGE', 'log size', size, 'one window of memory')
    }
    this.close()
    this.#mapped = mapped
    const view = window.view instanceof LazyView ? window.view.make() : window.view
    this.#bytes = new Uint8Array(view.buffer, window.viewOffset, window.length)
    this.#window = window
    this.update()
  }

  /** Pages of the bitmap turned out not to exist. */
  get faulted(): boolean {
    return (this.#mapped?.faults ?? 0) > 0
  }

  /** Features changed: buffers' writes are logged from now on, or no longer. */
  update(): void {
    const on = this.#bytes !== null && this.#negotiation.has(VHOST_F_LOG_ALL)
    if (on) this.#memory.setDirtyLog(new DirtyBitmap(this.#bytes!), this.#window)
    else this.#memory.setDirtyLog(noDirtyLog)
  }

  /** Gives the bitmap back; nothing is logged. */
  close(): void {
    this.#memory.setDirtyLog(noDirtyLog)
    this.#mapped?.close()
    this.#mapped = null
    this.#bytes = null
    this.#window = null
  }
}
