import { GuestMemory, type MappedRegion } from './guest-memory.ts'
import { SLOTS } from './request-table.ts'

type Answer = 'done' | 'refused'

/** The requests that change which memory is shared. Descriptors that are kept are taken out of the list. */
export class SharedRegions extends GuestMemory {
  readonly #fault: (name: string) => boolean
  readonly #onStop: () => void

  /** @param onStop stops all rings, for faults */
  constructor(fault: (name: string) => boolean, onStop: () => void) {
    super()
    this.#fault = fault
    this.#onStop = onStop
  }

  #region(view: DataView, at: number, fd: number): MappedRegion | null {
    const [guest, size, user, offset] = [0, 8, 16, 24].map((to) => view.getBigUint64(at + to, true)) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ]
    return GuestMemory.map(guest, size, user, this.#fault('ignores-mmap-offset') ? 0n : offset, fd)
  }

  /** SET_MEM_TABLE. */
  table(view: DataView, fds: number[]): Answer {
    if (view.byteLength < 8) return 'refused'
    const count = view.getUint32(0, true)
    if (count > 8 || view.byteLength < 8 + 32 * count || fds.length !== count) return 'refused'
    if (this.#fault('exact-table') && view.byteLength !== 8 + 32 * count) return 'refused'
    if (this.#fault('one-table') && this.regions.length > 0) return 'done'
    if (this.#fault('few-regions') && count > 1) return 'refused'
    const regions: MappedRegion[] = []
    for (let n = 0; n < count; n++) {
      const region = this.#region(view, 8 + 32 * n, fds[n]!)
      if (region === null) return 'refused'
      regions.push(region)
    }
    fds.splice(0)
    if (this.#fault('low-guest-only')) for (const one of regions) if (one.guest >= 2n ** 32n) return 'refused'
    if (this.#fault('no-guest-zero')) for (const one of regions) if (one.guest === 0n) return 'refused'
    this.replace(regions)
    if (this.#fault('table-stops-rings')) this.#onStop()
    return 'done'
  }

  /** ADD_MEM_REG. */
  add(view: DataView, fds: number[]): Answer {
    const region = this.#region(view, 8, fds[0]!)
    if (region === null || this.regions.length >= SLOTS) return 'refused'
    const { guest, size } = region
    if (this.regions.some((one) => guest < one.guest + one.size && one.guest < guest + size)) {
      region.mapping.unmap()
      return 'refused'
    }
    fds.shift()
    if (this.#fault('adds-nothing')) return 'done'
    this.regions.push(region)
    if (this.#fault('slots-stop-rings')) this.#onStop()
    return this.#fault('refuses-slots') ? 'refused' : 'done'
  }

  /** REM_MEM_REG. */
  remove(view: DataView, fds: number[]): Answer {
    if (this.#fault('keeps-removed-descriptor')) fds.splice(0)
    const guest = view.getBigUint64(8, true)
    const known = this.regions.find((one) => one.guest === guest)
    if (known === undefined) return 'refused'
    if (this.#fault('removes-nothing')) return 'done'
    this.replace(this.regions.filter((one) => one !== known))
    if (this.#fault('slots-stop-rings')) this.#onStop()
    return 'done'
  }
}
