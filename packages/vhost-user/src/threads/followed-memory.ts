import { openWindow, type WindowHandle } from '@vring/linux'
import {
  DirtyBitmap,
  type DirtyLog,
  GuestMap,
  LazyView,
  type MappedRegion,
  MappedSpace,
  memoryView,
  noDirtyLog,
} from '@vring/memory'
import type { DeviceMemory } from '../device/device.ts'
import type { SharedMemory, SharedMemoryChange, SharedRegion, SharedWindow } from './shared-memory.ts'

/**
 * The frontend's memory in a thread that follows the session's home: the same mappings, seen through views of its own. It
 * maps and unmaps nothing.
 */
export class FollowedMemory implements DeviceMemory {
  readonly space: MappedSpace = new MappedSpace()
  readonly buffers: GuestMap = new GuestMap(this.space, [])
  #log: DirtyLog = noDirtyLog
  #logWindow: SharedWindow | null = null
  /** By guest address. */
  readonly #regions = new Map<number, SharedRegion>()
  /** By window: what goes on being mapped keeps its view. */
  readonly #views = new Map<bigint, LazyView>()
  readonly dirtyLog: DirtyLog = { write: (address, length) => this.#log.write(address, length) }

  get shared(): SharedMemory {
    return { regions: [...this.#regions.values()], log: this.#logWindow }
  }

  /**
   * Goes over to what is mapped now; what is removed is not looked at any more.
   *
   * @throws VringError ERR_NOTIFIER, when it is done
   */
  follow({ removed, added, log }: SharedMemoryChange): void {
    this.#logWindow = log
    this.#log =
      log === null ? noDirtyLog : new DirtyBitmap(new Uint8Array(openWindow(log.handle), log.viewOffset, log.length))
    const failures: unknown[] = []
    for (const region of removed) {
      try {
        this.space.removeRange({ address: region.userAddress, length: region.size })
      } catch (error) {
        failures.push(error)
      }
      this.buffers.removeRegion(region.guestAddress)
      this.#regions.delete(region.guestAddress)
    }
    const views = this.#viewsOf(added)
    for (const { windows } of removed) for (const { handle } of windows) this.#views.delete(handle.address)
    for (const [address, view] of views) this.#views.set(address, view)
    for (const region of added) {
      const { guestAddress, userAddress, size } = region
      this.space.addRegions(mapped(region, views))
      this.buffers.addRegion({ guestAddress, userAddress, length: size })
      this.#regions.set(guestAddress, region)
    }
    if (failures.length > 0) throw failures[0]
  }

  /** Nothing is mapped any more. @throws VringError ERR_NOTIFIER, when it is done */
  forget(): void {
    this.follow({ removed: [...this.#regions.values()], added: [], log: null })
  }

  #viewsOf(regions: readonly SharedRegion[]): Map<bigint, LazyView> {
    const views = new Map<bigint, LazyView>()
    for (const { windows } of regions)
      for (const { handle } of windows) {
        const known = this.#views.get(handle.address)
        views.set(handle.address, known?.byteLength === handle.bytes ? known : lazyView(handle))
      }
    return views
  }
}

function lazyView(handle: WindowHandle): LazyView {
  return new LazyView(handle.bytes, () => memoryView(openWindow(handle), true))
}

function mapped({ userAddress, windows }: SharedRegion, views: ReadonlyMap<bigint, LazyView>): MappedRegion[] {
  let next = userAddress
  return windows.map(({ handle, viewOffset, length }) => {
    const address = next
    next += length
    return { address, length, view: views.get(handle.address)!, viewOffset }
  })
}
