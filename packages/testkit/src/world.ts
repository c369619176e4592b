import { type Accessor, type AccessorOptions, type AccessorPlugin, RecordingCpu, supportsOf } from '@vring/accessor'
import { DeviceIotlb, type IotlbMiss } from '@vring/iotlb'
import {
  AREAS,
  type Area,
  type AreaAccess,
  packedRingAreas,
  type RingArea,
  type RingAreas,
  splitRingAreas,
} from '@vring/layout'
import {
  ACCESS_READ,
  ACCESS_WRITE,
  type AddressMap,
  PAGE_BYTES,
  PageCache,
  PagedSpace,
  TASK_SIZE_MAX,
  writeback,
} from '@vring/memory'
import { type DriverArea, DriverMemory, WorldDriver } from './world-driver.ts'

/** How a {@link World} is laid out. */
export interface WorldOptions {
  /** Default `split`. */
  readonly format?: RingAreas['format']
  /** Entries; default 16. */
  readonly queueSize?: number
  /** Default true. */
  readonly eventIdx?: boolean
  /** Default `contiguous`: neighbouring pages have neighbouring frames. */
  readonly frames?: 'contiguous' | 'scattered'
  /** Default `anonymous`; `shared` memory can be mapped twice. */
  readonly backing?: 'anonymous' | 'shared' | 'file'
  /** Offset of each area's first byte in its first page; default 0. */
  readonly pageOffset?: Readonly<Record<Area, number>>
  /** With a device IOTLB, every area translated; default: where the accessor doesn't work without one. */
  readonly iotlb?: boolean
  /** What the device does with an area; default: as a ring of the format does. */
  readonly access?: Partial<Readonly<Record<Area, AreaAccess>>>
  /** How many bytes of the device area lie above the limit of user space; default 0. */
  readonly aboveLimit?: number
  /** The processor; default: one that records and nothing else. */
  readonly cpu?: RecordingCpu
}

/** What is created in a world. */
export interface WorldSubject {
  readonly plugin: AccessorPlugin
  readonly options?: AccessorOptions
}

/** Areas of a world are this far apart, so that each has memory of its own. */
const AREA_STRIDE = 8 * 2 ** 20
const BASE = 0x7f20_0000_0000
/** IOVAs of areas begin here; far from their user addresses, so that mixing them up shows. */
const IOVA_BASE = 0x2_0000_0000
const FRAMES = 128

/** An area and the pages that hold it. */
interface WorldArea extends DriverArea {
  /** Page-aligned. */
  readonly start: number
  /** Bytes; whole pages. */
  readonly mapped: number
  /** The file or shared memory that backs it, or null. */
  readonly cache: PageCache | null
}

/**
 * A small machine with one virtqueue: paged memory under SMAP, a processor that records, a driver, and one accessor. Its
 * methods are what a process, a kernel and a driver do to memory while a device runs.
 */
export class World {
  readonly cpu: RecordingCpu
  readonly space: PagedSpace
  readonly iotlb: DeviceIotlb | null
  readonly ring: RingAreas
  readonly accessor: Accessor
  readonly driver: WorldDriver
  readonly #subject: WorldSubject
  readonly #areas: Record<Area, WorldArea>
  readonly #access: Readonly<Record<Area, AreaAccess>>
  #child: PagedSpace | null = null

  /** @throws what the plugin's `create` throws */
  constructor(subject: WorldSubject, options: WorldOptions = {}) {
    const { format = 'split', queueSize = 16, eventIdx = true } = options
    const { desc, driver, device } = areasOf(format, queueSize, eventIdx)
    this.cpu = options.cpu ?? new RecordingCpu()
    this.#subject = subject
    this.#access = { desc: desc.access, driver: driver.access, device: device.access, ...options.access }
    this.space = new PagedSpace({ frames: FRAMES, allocator: options.frames ?? 'contiguous', smap: this.cpu })
    this.#areas = {
      desc: this.#place(BASE + (options.pageOffset?.desc ?? 0), desc.length, options),
      driver: this.#place(BASE + AREA_STRIDE + (options.pageOffset?.driver ?? 0), driver.length, options),
      device: this.#place(deviceAddress(device.length, options), device.length, options),
    }
    for (const area of AREAS) this.#map(area)
    this.driver = new WorldDriver(this.space, (area) => this.#areas[area])
    const withIotlb = options.iotlb ?? !supportsOf(subject.plugin, subject.options ?? {}).noIotlb
    this.iotlb = withIotlb ? new DeviceIotlb() : null
    this.ring = {
      format,
      queueSize,
      eventIdx,
      desc: this.#ringArea('desc'),
      driver: this.#ringArea('driver'),
      device: this.#ringArea('device'),
    }
    if (withIotlb) for (const area of AREAS) this.translate(area)
    this.accessor = this.#createAccessor(this.ring)
  }

  /** The ring as the driver reaches it, by {@link driverMemory}: where the areas are in its process. */
  get driverRing(): RingAreas {
    const { desc, driver, device } = this.#areas
    const area = ({ address, length }: WorldArea): RingArea => ({ address, length, access: 'read-write' })
    return { ...this.ring, desc: area(desc), driver: area(driver), device: area(device) }
  }

  /** The driver's process: its page tables, without SMAP. */
  get driverMemory(): AddressMap {
    return new DriverMemory(this.space, this.cpu)
  }

  /** Maps memory for buffers; its address in the process, from which it is contiguous. */
  mapBuffers(length: number): number {
    return this.space.mmap({ length: PAGE_BYTES * Math.ceil(length / PAGE_BYTES), populate: true })
  }

  /** Runs `body` in a round of the accessor, which must be able to begin. */
  round(body: () => void): void {
    const status = this.accessor.beginRound()
    if (status !== 'ready') throw new Error(`beginRound gave ${status}, expected ready`)
    body()
    this.accessor.endRound()
  }

  /** The driver fills every area with bytes that differ by area, place and `seed`. */
  fill(seed: number): void {
    for (const [index, area] of AREAS.entries()) {
      const bytes = Uint8Array.from(
        { length: this.#areas[area].length },
        (_, at) => Math.imul(at + 256 * index + 1, 0x9e37_79b1 + 2 * seed) >>> 23,
      )
      this.driver.store(area, 0, bytes)
    }
  }

  /** The process unmaps pages of an area: all of them, or some from byte `offset` of its first page on. */
  unmap(area: Area, offset = 0, length: number = this.#areas[area].mapped - offset): void {
    this.space.munmap(this.#areas[area].start + offset, length)
  }

  /** The process maps an area that it unmapped, in fresh pages. */
  mapAgain(area: Area): void {
    this.#map(area)
  }

  /** The process changes what it may do with an area. */
  protect(area: Area, protection: 'none' | 'read' | 'read-write'): void {
    const { start, mapped } = this.#areas[area]
    this.space.mprotect(start, mapped, { read: protection !== 'none', write: protection === 'read-write' })
  }

  /** The kernel moves an area's pages to other frames. */
  migrate(area: Area): void {
    const { start, mapped } = this.#areas[area]
    this.space.migrate(start, mapped)
  }

  /** The kernel takes an area's pages out of memory: what is not known to be dirty is not saved. */
  swapOut(area: Area): void {
    const { start, mapped } = this.#areas[area]
    this.space.reclaim(start, mapped)
  }

  /** The process forks; the child lives until the next fork. */
  fork(): void {
    this.#child?.close()
    this.#child = this.space.fork()
  }

  /** The kernel writes the files of all areas back. */
  writeBack(): void {
    for (const area of AREAS) {
      const { cache } = this.#areas[area]
      if (cache !== null) writeback(cache)
    }
  }

  /** A word of an area as the disk has it. */
  diskWord16(area: Area, offset: number): number {
    const { cache, address, start } = this.#areas[area]
    const at = address - start + offset
    return cache!.disk[at]! | (cache!.disk[at + 1]! << 8)
  }

  /** Opens an invalidation of an area's pages that changes nothing; gives back what closes it. */
  openInvalidation(area: Area): () => void {
    const { start, mapped } = this.#areas[area]
    const range = { start, end: start + mapped, event: 'protection-page', blockable: true } as const
    this.space.notifiers.invalidateRangeStart(range)
    return () => this.space.notifiers.invalidateRangeEnd(range)
  }

  /** SMAP violations so far. */
  smapViolations(): number {
    return this.space.violations.records.filter(({ kind }) => kind === 'smap').length
  }

  /** Direct mappings that outlive their pages. */
  staleMappings(): number {
    return this.space.staleMappings().length
  }

  /** Direct mappings that were not given back. */
  liveMappings(): number {
    return this.space.kernelMappings.size
  }

  /** Direct mappings of bytes of an area. */
  liveMappingsOf(area: Area): number {
    const { start, mapped } = this.#areas[area]
    return [...this.space.kernelMappings].filter(
      ({ request }) => request.address < start + mapped && start < request.address + request.length,
    ).length
  }

  /** Listeners of the address space, and interval notifiers. */
  listeners(): number {
    return this.space.notifiers.size + this.space.notifiers.intervals.size
  }

  /** Callbacks that threw or refused what they must not. */
  notifierFaults(): number {
    return this.space.notifiers.faultCount
  }

  /** A second queue of the same plugin in the same address space, in memory of its own. */
  secondQueue(): { readonly accessor: Accessor } {
    const { format, queueSize, eventIdx } = this.ring
    const shift = 4 * AREA_STRIDE
    const moved = (area: Area): RingArea => {
      const { start, mapped, address, length } = this.#areas[area]
      this.space.mmap({ address: start + shift, length: mapped, populate: true })
      const iova = this.#iova(area) + shift
      this.iotlb?.update(iova, length, address + shift, ACCESS_READ | ACCESS_WRITE)
      return { address: this.iotlb === null ? address + shift : iova, length, access: this.ring[area].access }
    }
    const accessor = this.#createAccessor({
      format,
      queueSize,
      eventIdx,
      desc: moved('desc'),
      driver: moved('driver'),
      device: moved('device'),
    })
    return { accessor }
  }

  /** The driver's IOMMU translates an area, with these permissions. */
  translate(area: Area, perm: number = ACCESS_READ | ACCESS_WRITE): void {
    const { address, length } = this.#areas[area]
    this.iotlb!.update(this.#iova(area), length, address, perm)
  }

  /** The driver's IOMMU forgets an area. */
  untranslate(area: Area): void {
    this.iotlb!.invalidate(this.#iova(area), this.#areas[area].length)
  }

  /**
   * Translates an area, which begins with its page and lies in shared memory, in two pieces: its first page, and the rest.
   * They lead to two further mappings of its memory, far apart, with nothing mapped after the first.
   */
  splitTranslation(area: Area): void {
    const { length, start, mapped, cache } = this.#areas[area]
    const map = (shift: number, offset: number, bytes: number): number =>
      this.space.mmap({ address: start + shift, offset, length: bytes, cache: cache!, populate: true })
    const iova = this.#iova(area)
    const first = Math.min(PAGE_BYTES, length)
    this.untranslate(area)
    this.iotlb!.update(iova, first, map(32 * AREA_STRIDE, 0, PAGE_BYTES), ACCESS_READ | ACCESS_WRITE)
    if (mapped === PAGE_BYTES) return
    const second = map(64 * AREA_STRIDE, PAGE_BYTES, mapped - PAGE_BYTES)
    this.iotlb!.update(iova + first, length - first, second, ACCESS_READ | ACCESS_WRITE)
  }

  /** Translates an IOVA page that no area uses. */
  translateElsewhere(): void {
    this.iotlb!.update(IOVA_BASE - PAGE_BYTES, PAGE_BYTES, BASE - PAGE_BYTES, ACCESS_READ | ACCESS_WRITE)
  }

  /** The driver keeps an area in other memory from now on; its IOVA stays. Translate it again to tell the device. */
  moveElsewhere(area: Area): void {
    const { start, address, ...rest } = this.#areas[area]
    const shift = 16 * AREA_STRIDE
    this.#areas[area] = { start: start + shift, address: address + shift, ...rest }
    this.#map(area)
  }

  /** Questions to the driver's IOMMU since the last call. */
  takeMisses(): IotlbMiss[] {
    return this.iotlb!.takeMisses()
  }

  #place(address: number, length: number, { backing = 'anonymous' }: WorldOptions): WorldArea {
    const start = address - (address % PAGE_BYTES)
    const mapped = PAGE_BYTES * Math.ceil((address - start + length) / PAGE_BYTES)
    const kind = backing === 'file' ? 'file' : 'shmem'
    const cache = backing === 'anonymous' ? null : new PageCache(this.space.physical, kind, mapped)
    return { address, length, start, mapped, cache }
  }

  /** Maps an area's pages, as far as they lie in user space. */
  #map(area: Area): void {
    const { start, mapped, cache } = this.#areas[area]
    const length = Math.min(mapped, this.space.limit - start)
    if (length <= 0) return
    this.space.mmap({ address: start, length, populate: true, ...(cache === null ? {} : { cache }) })
  }

  #iova(area: Area): number {
    return IOVA_BASE + AREAS.indexOf(area) * AREA_STRIDE + (this.#areas[area].address % PAGE_BYTES)
  }

  #ringArea(area: Area): RingArea {
    const { address, length } = this.#areas[area]
    return { address: this.iotlb === null ? address : this.#iova(area), length, access: this.#access[area] }
  }

  #createAccessor(ring: RingAreas): Accessor {
    const { cpu, space, iotlb } = this
    return this.#subject.plugin.create({ cpu, space, ring, iotlb }, this.#subject.options ?? {})
  }
}

/** A world for one subject. */
export function createWorld(subject: WorldSubject, options: WorldOptions = {}): World {
  return new World(subject, options)
}

function deviceAddress(length: number, { aboveLimit = 0, pageOffset }: WorldOptions): number {
  if (aboveLimit === 0) return BASE + 2 * AREA_STRIDE + (pageOffset?.device ?? 0)
  const address = TASK_SIZE_MAX + aboveLimit - length
  return address + ((4 - (address % 4)) % 4)
}

/** Areas of a ring of this size, wherever they will be: how long each is, and what a device does with it. */
function areasOf(format: RingAreas['format'], queueSize: number, eventIdx: boolean): RingAreas {
  const areas = format === 'packed' ? packedRingAreas : splitRingAreas
  return areas(queueSize, eventIdx, BASE, BASE + AREA_STRIDE, BASE + 2 * AREA_STRIDE)
}
