import { closeFd, Mapping, statFd } from '@vring/linux'

export interface MappedRegion {
  readonly guest: bigint
  readonly size: bigint
  readonly user: bigint
  readonly offset: bigint
  readonly fd: number
  readonly mapping: Mapping
}

/** Some bytes of a mapping. */
export interface Piece {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly u16: Uint16Array
  readonly at: number
  readonly length: number
  /** For the log. */
  readonly guest: number
}

/** The front-end's memory as the model maps it: one region after the other, nothing clever. */
export class GuestMemory {
  regions: MappedRegion[] = []

  /** @returns null when there is no such memory */
  static map(guest: bigint, size: bigint, user: bigint, offset: bigint, fd: number): MappedRegion | null {
    const end = offset + size
    if (size === 0n || guest + size > 2n ** 63n || user + size > 2n ** 63n) return null
    if (end > BigInt(statFd(fd).size) || end > 2n ** 31n) return null
    const length = Math.ceil(Number(end) / 4) * 4
    return { guest, size, user, offset, fd, mapping: Mapping.of(fd, { length }) }
  }

  /** Pieces of a range of guest (or user) addresses; null where there is nothing. */
  resolve(address: bigint, length: number, by: 'guest' | 'user'): Piece[] | null {
    const pieces: Piece[] = []
    let at = address
    let left = BigInt(length)
    while (left > 0n) {
      const region = this.regions.find((one) => at >= one[by] && at < one[by] + one.size)
      if (region === undefined) return null
      // A front-end may shorten the file: looking first is enough for a test in which nothing happens at once.
      if (BigInt(statFd(region.fd).size) < region.offset + region.size) return null
      const into = at - region[by]
      const room = region.size - into
      const take = left < room ? left : room
      const { buffer } = region.mapping
      pieces.push({
        view: new DataView(buffer),
        bytes: new Uint8Array(buffer),
        u16: new Uint16Array(buffer, 0, buffer.byteLength >> 1),
        at: Number(region.offset + into),
        length: Number(take),
        guest: Number(region.guest + into),
      })
      at += take
      left -= take
    }
    return pieces
  }

  replace(regions: MappedRegion[]): void {
    for (const one of this.regions) if (!regions.includes(one)) release(one)
    this.regions = regions
  }
}

function release({ mapping, fd }: MappedRegion): void {
  mapping.unmap()
  closeFd(fd)
}
