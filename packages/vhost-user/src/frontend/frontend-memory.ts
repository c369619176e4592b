import { closeFd, createMemfd, Mapping } from '@vring/linux'
import { MappedSpace, memoryView } from '@vring/memory'
import type { MemoryRegion } from '../messages/payload.ts'

export interface FrontendMemoryOptions {
  /** Bytes; a multiple of 4096. */
  readonly bytes: number
  /** Where the guest sees it. Default 0. */
  readonly guestAddress?: number
  /** Where the frontend says it has it: any address will do, both sides only calculate with it. Default 2^40. */
  readonly userAddress?: number
  /** The file can't be shortened (F_SEAL_SHRINK). Default true. */
  readonly sealed?: boolean
}

/** Memory that a frontend shares: a sealed memfd, mapped here, and the region that tells a backend of it. */
export class FrontendMemory {
  readonly fd: number
  readonly region: MemoryRegion
  /** By user addresses, as rings and drivers use it. */
  readonly space: MappedSpace
  readonly #mapping: Mapping

  /** @throws VringError ERR_OUT_OF_RANGE, ERR_SYSTEM */
  constructor(options: FrontendMemoryOptions) {
    const { bytes, guestAddress = 0, userAddress = 2 ** 40, sealed = true } = options
    this.region = { guestAddress, size: bytes, userAddress, mmapOffset: 0 }
    this.fd = createMemfd('vring-frontend', bytes, { sealed })
    let mapping: Mapping | null = null
    try {
      mapping = Mapping.of(this.fd, { length: bytes })
      this.#mapping = mapping
      this.space = new MappedSpace(
        mapping.windows.map(({ offset, length, buffer }) => ({
          address: userAddress + offset,
          length,
          view: memoryView(buffer),
          viewOffset: 0,
        })),
      )
    } catch (error) {
      mapping?.unmap()
      closeFd(this.fd)
      throw error
    }
  }

  /** Gives it back: views of it must not be used any more. A second call does nothing. */
  close(): void {
    if (this.#mapping.state === 'unmapped') return
    this.space.replaceRegions([])
    this.#mapping.unmap()
    closeFd(this.fd)
  }
}
