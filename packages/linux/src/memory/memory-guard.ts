import { refused } from '@vring/layout'
import {
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  SA_SIGINFO,
  SIGACTION,
  SIGBUS,
} from '../abi.ts'
import { checked, fixedBytes, libc } from '../libc.ts'
import { SIGBUS_CODE, SIGBUS_DATA_BYTES } from '../machine-code/sigbus-code.ts'
import { systemError } from '../system-error.ts'

/** Ranges that can be guarded at once, in all threads of the process. */
export const GUARDS_MAX = 8192

/** Offsets in the table, in bytes; `machine-code/sigbus-x64.s` draws it. */
const TABLE = { magic: 0, inUse: 16, faults: 20, entries: 64 } as const
const ENTRY = { size: 32, start: 0, end: 8, pageBytes: 16, faults: 24, state: 28 } as const
const TABLE_BYTES = TABLE.entries + ENTRY.size * GUARDS_MAX
const MAGIC = 0x7672_6775_6172_6431n
/** The code is at the beginning of a page, so that it can be looked for there without reading beyond one. */
const PAGE_MASK = 0xfffn

/** The table of the process, as this thread sees it. */
interface GuardTable {
  readonly words: Int32Array
  readonly longs: BigUint64Array
}

let table: GuardTable | null = null

/** Why memory can't be guarded on a processor, by default this one; null when it can. */
export function unguardedHost(arch: string = process.arch): string | null {
  return SIGBUS_CODE[arch] === undefined ? `no SIGBUS handler for ${arch}` : null
}

/**
 * Memory whose pages may turn out not to exist. That is a file that its owner shortens under the mapping, a hole that
 * no page can be found for, a page with a hardware error. Touching one is a SIGBUS, which ends the process. Guarded, a
 * private page of zeros takes its place (a whole huge page for hugetlbfs), the access goes on with that, and
 * {@link faults} counts. The program then lets go of the memory, as its owner no longer sees what is written there.
 *
 * The handler is the process's, not a thread's: installed with the first guard, kept for the rest. An address that is not
 * guarded goes to the handler that was there before, or has the default action.
 */
export class MemoryGuard {
  readonly #table: GuardTable
  readonly #at: number

  private constructor(table: GuardTable, at: number) {
    this.#table = table
    this.#at = at
  }

  /**
   * @param address of the first byte, a multiple of `pageBytes`
   * @param length bytes
   * @param pageBytes a power of two: what is replaced as a whole
   * @throws VringError ERR_OUT_OF_RANGE when too many ranges are guarded; ERR_UNSUPPORTED for the processor; ERR_SYSTEM
   */
  static of(address: bigint, length: number, pageBytes: number): MemoryGuard {
    table ??= guardTable()
    const { words, longs } = table
    for (let entry = 0; entry < GUARDS_MAX; entry++) {
      const at = TABLE.entries + ENTRY.size * entry
      if (Atomics.compareExchange(words, (at + ENTRY.state) >> 2, 0, 1) !== 0) continue
      words[(at + ENTRY.faults) >> 2] = 0
      longs[(at + ENTRY.pageBytes) >> 3] = BigInt(pageBytes)
      longs[(at + ENTRY.start) >> 3] = address
      // The end is written last: until then the range is empty.
      Atomics.store(longs, (at + ENTRY.end) >> 3, address + BigInt(length))
      const inUse = TABLE.inUse >> 2
      for (let seen = words[inUse]!; seen <= entry; ) seen = exchanged(words, inUse, seen, entry + 1)
      return new MemoryGuard(table, at)
    }
    throw refused('ERR_OUT_OF_RANGE', 'guarded ranges', GUARDS_MAX + 1, `at most ${GUARDS_MAX}`)
  }

  /** Pages of this range that were not there and were replaced. */
  get faults(): number {
    return Atomics.load(this.#table.words, (this.#at + ENTRY.faults) >> 2)
  }

  /** Guards it no longer: call it before the addresses are given back, and once. */
  release(): void {
    const { words, longs } = this.#table
    Atomics.store(longs, (this.#at + ENTRY.end) >> 3, 0n)
    Atomics.store(longs, (this.#at + ENTRY.start) >> 3, 0n)
    Atomics.store(words, (this.#at + ENTRY.state) >> 2, 0)
  }
}

/** Pages that were replaced in all guarded memory of the process: when it has changed, each guard knows its own. */
export function guardFaults(): number {
  return table === null ? 0 : table.words[TABLE.faults >> 2]!
}

/** Counts in {@link guardFaults} of this thread what guards of other threads count. */
export function watchGuards(): void {
  if (table === null && unguardedHost() === null) table = guardTable()
}

/** The table of the handler that some thread installed; else installs one. */
function guardTable(): GuardTable {
  const code = SIGBUS_CODE[process.arch]
  if (code === undefined)
    throw refused('ERR_UNSUPPORTED', 'process.arch', process.arch, Object.keys(SIGBUS_CODE).join(', '))
  const installed = tableOf(currentHandler(), code)
  if (installed !== null) return installed
  const made = map(TABLE_BYTES)
  const found = view(made)
  found.longs[TABLE.magic] = MAGIC
  const previous = install(placeCode(code, made, currentHandler()))
  // Another thread was faster: its table has what it guards, and faults outside of this one's go on to it.
  return tableOf(previous, code) ?? found
}

/** The table that a handler of this code uses; null for any other handler. */
function tableOf(handler: bigint, code: Uint8Array): GuardTable | null {
  if (handler <= 1n || (handler & PAGE_MASK) !== 0n) return null
  const bytes = new Uint8Array(libc().koffi.view(handler, code.length))
  const data = code.length - SIGBUS_DATA_BYTES
  for (let i = 0; i < data; i++) if (bytes[i] !== code[i]) return null
  return view(new DataView(bytes.buffer).getBigUint64(data, true))
}

function view(address: bigint): GuardTable {
  const buffer = libc().koffi.view(address, TABLE_BYTES)
  return { words: new Int32Array(buffer), longs: new BigUint64Array(buffer) }
}

/** Pages of the code, readable and executable, for the rest of the process. */
function placeCode(code: Uint8Array, tableAddress: bigint, previous: bigint): bigint {
  const address = map(code.length)
  const c = libc()
  const buffer = c.koffi.view(address, code.length)
  new Uint8Array(buffer).set(code)
  const data = new DataView(buffer, code.length - SIGBUS_DATA_BYTES)
  data.setBigUint64(0, tableAddress, true)
  data.setBigUint64(8, previous, true)
  checked('mprotect', () => c.mprotect(address, code.length, PROT_READ | PROT_EXEC), 'making code executable')
  return address
}

function map(length: number): bigint {
  const c = libc()
  const address = c.mmap(null, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  if (address === MAP_FAILED) throw systemError('mmap', c.errno(), `${length} bytes`)
  return address
}

function currentHandler(): bigint {
  const old = fixedBytes(SIGACTION.size)
  checked('sigaction', (c) => c.sigaction(SIGBUS, null, old), 'SIGBUS')
  return new DataView(old.buffer).getBigUint64(SIGACTION.sa_handler, true)
}

/** Makes it the handler; the one that was there until now. */
function install(handler: bigint): bigint {
  const action = fixedBytes(SIGACTION.size)
  const old = fixedBytes(SIGACTION.size)
  const words = new DataView(action.buffer)
  words.setBigUint64(SIGACTION.sa_handler, handler, true)
  words.setInt32(SIGACTION.sa_flags, SA_SIGINFO, true)
  checked('sigaction', (c) => c.sigaction(SIGBUS, action, old), 'SIGBUS')
  return new DataView(old.buffer).getBigUint64(SIGACTION.sa_handler, true)
}

/** compareExchange, for a loop: what is there now, which is at least `next` when it was done. */
function exchanged(words: Int32Array, index: number, seen: number, next: number): number {
  const was = Atomics.compareExchange(words, index, seen, next)
  return was === seen ? next : was
}
