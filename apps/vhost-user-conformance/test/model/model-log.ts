import { Mapping, statFd } from '@vring/linux'

/** The dirty log of a session. */
export class ModelLog {
  #log: { mapping: Mapping; offset: number; size: number } | null = null
  readonly #fault: (name: string) => boolean
  readonly #onAnomaly: () => void

  constructor(fault: (name: string) => boolean, onAnomaly: () => void) {
    this.#fault = fault
    this.#onAnomaly = onAnomaly
  }

  /** SET_LOG_BASE. */
  base(view: DataView, fds: number[]): 'done' | 'refused' {
    const size = Number(view.getBigUint64(0, true))
    const offset = this.#fault('ignores-log-offset') ? 0 : Number(view.getBigUint64(8, true))
    if (size + offset > statFd(fds[0]!).size) return 'refused'
    if (this.#fault('first-log-only') && this.#log !== null) return 'done'
    this.#log?.mapping.unmap()
    this.#log = { mapping: Mapping.of(fds[0]!, { length: Math.ceil((size + offset) / 4096) * 4096 }), offset, size }
    return 'done'
  }

  /** Marks the pages of a range, while LOG_ALL is on. */
  mark(logging: boolean, address: number, length: number): void {
    const on = logging || this.#fault('logs-always')
    if (!on || this.#log === null || this.#fault('logs-nothing')) return
    const { mapping, offset, size } = this.#log
    const bytes = new Uint8Array(mapping.buffer)
    const first = Math.floor(address / 4096) - (this.#fault('logs-all-pages') ? 4 : 0)
    for (let page = first; page * 4096 < address + length; page++) {
      if (page >> 3 >= size && !this.#fault('logs-beyond')) {
        this.#onAnomaly()
        return
      }
      bytes[offset + (page >> 3)]! |= 1 << (page & 7)
    }
  }

  close(): void {
    this.#log?.mapping.unmap()
  }
}
