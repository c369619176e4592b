import { readFileSync, writeFileSync } from 'node:fs'

const NR_HUGEPAGES = '/proc/sys/vm/nr_hugepages'
const MEMINFO = '/proc/meminfo'

/** What {@link reserveHugePages} got. */
export interface HugePages {
  /** Are `megabytes` there? If not, peers run with --no-huge. */
  readonly available: boolean
  /** Sets the kernel's pool back to what it was. A second call does nothing. */
  giveBack(): void
}

/**
 * Makes sure that 2 MiB pages for `megabytes` are free, as far as this process may. An existing pool is used, and a
 * smaller one grows while the run lasts.
 */
export function reserveHugePages(megabytes: number): HugePages {
  const none: HugePages = { available: false, giveBack: () => {} }
  const before = freePages()
  if (before === null) return none
  const wanted = Math.ceil(megabytes / 2)
  if (before.free >= wanted) return { available: true, giveBack: () => {} }
  try {
    writeFileSync(NR_HUGEPAGES, String(before.total + wanted - before.free))
  } catch {
    return none
  }
  let given = false
  const giveBack = (): void => {
    if (!given) writeFileSync(NR_HUGEPAGES, String(before.total))
    given = true
    process.off('exit', giveBack)
  }
  // Whatever ends this process: pages that are still in use go when their user does.
  process.once('exit', giveBack)
  // The kernel gives what it finds in one piece, which may be less.
  if ((freePages()?.free ?? 0) >= wanted) return { available: true, giveBack }
  giveBack()
  return none
}

/** Pages of the 2 MiB pool, or null where huge pages have another size or none. */
function freePages(): { total: number; free: number } | null {
  try {
    const text = readFileSync(MEMINFO, 'utf8')
    const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
    if (field('Hugepagesize') !== 2048) return null
    return { total: field('HugePages_Total'), free: field('HugePages_Free') }
  } catch {
    return null
  }
}
