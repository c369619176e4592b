import { refused } from '@vring/layout'
import { checkObject, checkObjects } from './check-argument.ts'
import { LazyView } from './lazy-view.ts'
import type { MemoryView } from './memory-view.ts'
import { SortedRegions } from './sorted-regions.ts'

/** Memory of another process that is mapped here: readable and writable, there until its region is replaced. */
export interface MappedRegion {
  /** Its address in the other process. */
  readonly address: number
  /** Bytes. */
  readonly length: number
  readonly view: MemoryView | LazyView
  /** Byte offset in {@link view} of the region's first byte. */
  readonly viewOffset: number
}

/** A run of addresses. */
export interface AddressRange {
  readonly address: number
  /** Bytes. */
  readonly length: number
}

/** A view holds at most this much, so that every offset into it is a small integer: larger memory comes as several. */
export const VIEW_BYTES_MAX = 0x8000_0000

/** @param regions ascending */
export function sortedRegions(regions: readonly MappedRegion[]): SortedRegions<MappedRegion> {
  return new SortedRegions(regions, ({ address }) => address)
}

/** First address after a region. */
export function endOf({ address, length }: AddressRange): number {
  return address + length
}

/**
 * Validates, sorts, and joins neighbours that continue in the same view.
 *
 * @param limit first address that is not a user address
 * @throws VringError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_MISALIGNED, ERR_OVERLAP
 */
export function checkedRegions(regions: readonly MappedRegion[], limit: number): MappedRegion[] {
  checkObjects('regions', regions)
  for (const region of regions) checkRegion(region, limit)
  const sorted = [...regions].sort((a, b) => a.address - b.address)
  const joined: MappedRegion[] = []
  for (const region of sorted) {
    const before = joined.at(-1)
    if (before !== undefined) checkAfter(before, region)
    if (before !== undefined && continues(before, region)) joined[joined.length - 1] = join(before, region)
    else joined.push({ ...region })
  }
  return joined
}

/**
 * Puts more regions among those that are there. Only the neighbours of each new one are looked at. They are joined with
 * it where they continue one another.
 *
 * @param added as {@link checkedRegions} gives them
 * @throws VringError ERR_OVERLAP; nothing changed then
 */
export function insertRegions(regions: SortedRegions<MappedRegion>, added: readonly MappedRegion[]): void {
  for (const region of added) {
    const before = regions.list[regions.find(region.address)]
    if (before !== undefined) checkAfter(before, region)
    const last = regions.list[regions.find(endOf(region) - 1)]
    if (last !== undefined && last !== before) checkAfter(region, last)
  }
  for (let i = 0; i < added.length; ) {
    const at = regions.find(added[i]!.address) + 1
    const { [at - 1]: before, [at]: after } = regions.list
    // What goes into the same gap goes at once: a TiB comes as a thousand regions.
    let end = i + 1
    while (end < added.length && (after === undefined || added[end]!.address < after.address)) end++
    const run = added.slice(i, end)
    let [first, count] = [at, 0]
    if (before !== undefined && continues(before, run[0]!)) {
      run[0] = join(before, run[0]!)
      first--
      count++
    }
    if (after !== undefined && continues(run.at(-1)!, after)) {
      run.push(join(run.pop()!, after))
      count++
    }
    regions.splice(first, count, run)
    i = end
  }
}

/** What of a table goes when a range is removed. */
export interface RegionCut {
  /** First address that is mapped no longer. */
  readonly start: number
  /** First address after the last of them. */
  readonly end: number
  /** Of the regions that lie in the range or reach into it. */
  readonly first: number
  readonly count: number
  /** What of these is outside of the range. */
  readonly left: readonly MappedRegion[]
}

/** Null: nothing is mapped in the range. */
export function cutOf(regions: SortedRegions<MappedRegion>, { address, length }: AddressRange): RegionCut | null {
  const { list } = regions
  const end = address + length
  const found = regions.find(address)
  const first = found >= 0 && endOf(list[found]!) > address ? found : found + 1
  const last = regions.find(end - 1)
  if (last < first) return null
  const [head, tail] = [list[first]!, list[last]!]
  const left: MappedRegion[] = []
  if (head.address < address) left.push(part(head, head.address, address))
  if (endOf(tail) > end) left.push(part(tail, end, endOf(tail)))
  const bounds = { start: Math.max(address, head.address), end: Math.min(end, endOf(tail)) }
  return { ...bounds, first, count: last - first + 1, left }
}

/** Does `region` translate everything that `old` does, to the same bytes? */
export function keeps(region: MappedRegion | undefined, old: MappedRegion): boolean {
  return (
    region !== undefined &&
    region.view === old.view &&
    region.address <= old.address &&
    endOf(region) >= endOf(old) &&
    region.viewOffset - region.address === old.viewOffset - old.address
  )
}

/** @throws VringError ERR_OUT_OF_RANGE unless it is at least one byte, all below `limit` */
export function checkRange({ address, length }: AddressRange, limit: number): void {
  if (!(Number.isSafeInteger(address) && address >= 0 && address < limit))
    throw refused('ERR_OUT_OF_RANGE', 'address', address, `0 .. 0x${(limit - 1).toString(16)}`)
  if (!(Number.isSafeInteger(length) && length > 0 && length <= limit - address))
    throw refused('ERR_OUT_OF_RANGE', 'length', length, `1 .. ${limit - address}`)
}

function checkRegion(region: MappedRegion, limit: number): void {
  checkRange(region, limit)
  const { address, length, view, viewOffset } = region
  checkObject('view', view, 'a MemoryView')
  const bytes = view instanceof LazyView ? view.byteLength : view.buffer.byteLength
  if (bytes > VIEW_BYTES_MAX)
    throw refused('ERR_OUT_OF_RANGE', 'view', bytes, `a buffer of at most ${VIEW_BYTES_MAX} bytes`)
  if (!(Number.isSafeInteger(viewOffset) && viewOffset >= 0 && length <= bytes - viewOffset))
    throw refused('ERR_OUT_OF_RANGE', 'viewOffset', viewOffset, `0 .. ${bytes - length}`)
  // Rings are read by words of the view: an address and its offset must be aligned alike.
  if ((viewOffset - address) % 4 !== 0)
    throw refused('ERR_MISALIGNED', 'viewOffset', viewOffset, 'aligned as address is, to 4 bytes')
}

/** @throws VringError ERR_OVERLAP unless `region` begins after all of `before` */
function checkAfter(before: MappedRegion, region: MappedRegion): void {
  const end = endOf(before)
  if (region.address < end) throw refused('ERR_OVERLAP', 'address', region.address, `at or above 0x${end.toString(16)}`)
}

/** Does `region` go on where `before` ends, in memory and in the view? */
function continues(before: MappedRegion, region: MappedRegion): boolean {
  return (
    region.address === endOf(before) &&
    region.view === before.view &&
    region.viewOffset === before.viewOffset + before.length
  )
}

/** Two that continue one another, as one. */
function join(before: MappedRegion, region: MappedRegion): MappedRegion {
  return { ...before, length: before.length + region.length }
}

/** The part of a region from `start` to before `end`, both of which are inside or at its bounds. */
function part({ address, view, viewOffset }: MappedRegion, start: number, end: number): MappedRegion {
  return { address: start, length: end - start, view, viewOffset: viewOffset + (start - address) }
}
