import { refused } from '@vring/layout'
import { checkBoolean, checkObject } from '../../check-argument.ts'
import { HUGE_BYTES, PAGE_BYTES } from '../../page-size.ts'
import type { Mm } from '../mm.ts'
import { PageCache } from '../page-cache.ts'
import type { VmaKind } from '../vma.ts'

/** Where mappings without an address of their own go: above 32 bits, as on a real machine. */
const MMAP_BASE = 0x7f00_0000_0000

const VMA_KINDS: readonly VmaKind[] = ['anonymous', 'shared', 'file', 'hugetlb']
const FLAGS = ['read', 'write', 'private', 'populate'] as const

/** What to map. */
export interface MmapOptions {
  /** Bytes; a multiple of 4 KiB (hugetlb: 2 MiB). */
  readonly length: number
  /** Default: the lowest free address from 0x7f0000000000. An address that is given must be free. */
  readonly address?: number
  /** Default `anonymous`, or the kind of {@link cache}. */
  readonly kind?: VmaKind
  /** Default true; writing implies it. */
  readonly read?: boolean
  /** Default true. */
  readonly write?: boolean
  /** The file or shared memory to map; default: a new one of the mapping's length, unless anonymous. */
  readonly cache?: PageCache
  /** Byte offset in {@link cache}; default 0. */
  readonly offset?: number
  /** Of a file: writes stay here (copy-on-write). Default false; anonymous memory always is. */
  readonly private?: boolean
  /** Fault all pages in at once. Default false. */
  readonly populate?: boolean
}

/** Source: Linux `do_mmap` with MAP_FIXED_NOREPLACE where an address is given. */
export function mmap(mm: Mm, options: MmapOptions): number {
  checkObject('options', options, '{ length, ... }')
  for (const flag of FLAGS) if (options[flag] !== undefined) checkBoolean(flag, options[flag])
  const { length, cache = null } = options
  if (cache !== null && !(cache instanceof PageCache))
    throw refused('ERR_INVALID_ARGUMENT', 'cache', cache, 'a PageCache')
  const kind = options.kind ?? (cache === null ? 'anonymous' : kindOf(cache))
  if (!VMA_KINDS.includes(kind)) throw refused('ERR_INVALID_ARGUMENT', 'kind', kind, VMA_KINDS.join(', '))
  const unit = kind === 'hugetlb' ? HUGE_BYTES : PAGE_BYTES
  if (!(Number.isSafeInteger(length) && length > 0 && length <= mm.limit))
    throw refused('ERR_OUT_OF_RANGE', 'length', length, `1 .. ${mm.limit}`)
  if (length % unit !== 0) throw refused('ERR_MISALIGNED', 'length', length, `a multiple of ${unit}`)
  const address = options.address ?? mm.vmas.gap(MMAP_BASE, length, unit)
  mm.checkRange(address, length)
  if (address % unit !== 0) throw refused('ERR_MISALIGNED', 'address', address, `a multiple of ${unit}`)
  const [taken] = mm.vmas.overlapping(address, address + length)
  if (taken !== undefined)
    throw refused('ERR_OVERLAP', 'address', address, `a free range; 0x${taken.start.toString(16)} is mapped`)
  const isOwn = isPrivate(kind, options)
  const backing = chooseCache(mm, kind, options)
  mm.vmas.add({
    start: address,
    end: address + length,
    kind,
    // x86-64 has no page that can only be written.
    read: (options.read ?? true) || (options.write ?? true),
    write: options.write ?? true,
    private: isOwn,
    cache: backing,
    cacheIndex: (options.offset ?? 0) / PAGE_BYTES,
  })
  // A cache made here belongs to the mapping alone.
  if (cache === null) backing?.close()
  return address
}

function kindOf(cache: PageCache): VmaKind {
  return cache.kind === 'shmem' ? 'shared' : cache.kind
}

function isPrivate(kind: VmaKind, options: MmapOptions): boolean {
  if (kind === 'anonymous') {
    if (options.private === false) throw refused('ERR_INVALID_ARGUMENT', 'private', false, "true, or kind 'shared'")
    return true
  }
  if (kind !== 'file' && options.private === true)
    throw refused('ERR_INVALID_ARGUMENT', 'private', true, `false for kind '${kind}'`)
  return options.private ?? false
}

/** The page cache of the mapping, checked to hold it. */
function chooseCache(mm: Mm, kind: VmaKind, { cache, length, offset = 0 }: MmapOptions): PageCache | null {
  if (kind === 'anonymous') {
    if (cache !== undefined || offset !== 0)
      throw refused('ERR_INVALID_ARGUMENT', 'cache', cache?.kind ?? `offset ${offset}`, 'none for anonymous memory')
    return null
  }
  const unit = kind === 'hugetlb' ? HUGE_BYTES : PAGE_BYTES
  if (!(Number.isSafeInteger(offset) && offset >= 0))
    throw refused('ERR_OUT_OF_RANGE', 'offset', offset, '0 or more bytes')
  if (offset % unit !== 0) throw refused('ERR_MISALIGNED', 'offset', offset, `a multiple of ${unit}`)
  if (cache === undefined) return new PageCache(mm.physical, kind === 'shared' ? 'shmem' : kind, offset + length)
  if (cache.physical !== mm.physical)
    throw refused('ERR_INVALID_ARGUMENT', 'cache', 'of another memory', 'one of the same PhysicalMemory')
  if (kindOf(cache) !== kind) throw refused('ERR_INVALID_ARGUMENT', 'kind', kind, `'${kindOf(cache)}' for this cache`)
  return cache
}
