import { openWindow, type WindowHandle } from '@vring/linux'
import { DirtyBitmap, type DirtyLog, GuestMap, LazyView, MappedSpace, memoryView, noDirtyLog } from '@vring/memory'
import type { DeviceMemory } from './device.ts'
import type { SharedMemory, SharedRegion } from './shared-memory.ts'

/**
 * The frontend's memory in a thread that follows the session's home: the same mappings, seen through views of its own. It
 * maps and unmaps nothing.
 */
export class FollowedMemory implements DeviceMemory {
  readonly space: MappedSpace = new MappedSpace()
  readonly buffers: GuestMap = new GuestMap(this.space, [])
  shared: SharedMemory = { regions: [], log: null }
  #log: DirtyLog = noDirtyLog
  /** By window: what goes on being mapped keeps its view. */
  #views: ReadonlyMap<bigint, LazyView> = new Map()
  readonly dirtyLog: DirtyLog = { write: (address, length) => this.#log.write(address, length) }

  /** Goes over to what is mapped now; what was before is not looked at any more. @throws VringError ERR_NOTIFIER */
  follow(shared: SharedMemory): void {
    const views = new Map<bigint, LazyView>()
    for (const { windows } of shared.regions)
      for (const { handle } of windows) {
        const known = this.#views.get(handle.address)
        views.set(handle.address, known?.byteLength === handle.bytes ? known : lazyView(handle))
      }
    const { log } = shared
    this.#log =
      log === null ? noDirtyLog : new DirtyBitmap(new Uint8Array(openWindow(log.handle), log.viewOffset, log.length))
    this.space.replaceRegions(shared.regions.flatMap((region) => mapped(region, views)))
    this.buffers.replaceRegions(
      shared.regions.map(({ guestAddress, userAddress, size }) => ({ guestAddress, userAddress, length: size })),
    )
    this.#views = views
    this.shared = shared
  }
}

function lazyView(handle: WindowHandle): LazyView {
  return new LazyView(handle.bytes, () => memoryView(openWindow(handle), true))
}

function mapped({ userAddress, windows }: SharedRegion, views: ReadonlyMap<bigint, LazyView>) {
  let next = userAddress
  return windows.map(({ handle, viewOffset, length }) => {
    const address = next
    next += length
    return { address, length, view: views.get(handle.address)!, viewOffset }
  })
}
