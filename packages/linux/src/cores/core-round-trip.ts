import { isVringError, refused } from '@vring/layout'
import { unsupportedHost } from '../libc.ts'
import { MachineCode } from '../machine-code/machine-code.ts'
import { nativeAddress } from '../native-address.ts'

/** Bytes of the memory that two ends share: one page, of which one cache line is used. */
export const ROUND_TRIP_BYTES = 4096
/**
 * Looks at the line that an end takes before it gives up. That is 50 to 500 ms, as one look is a load that hits the
 * first cache.
 */
const LOOKS_MAX = 0x0800_0000
/** The same by Atomics, where a look takes some ten times as long. */
const ATOMICS_LOOKS_MAX = LOOKS_MAX / 16
/** Two cache lines: processors fetch the line beside the one that is asked for. */
const APART_BYTES = 128

/** `initiator`: stores an odd number and waits for the even one after it. `responder`: the other way round. */
export type RoundTripRole = 'initiator' | 'responder'

/** How an end is done: machine code is a load and a store; Atomics.store of JavaScript is a locked instruction. */
export type RoundTripMethod = 'machine code' | 'atomics'

/**
 * One of two threads that send a cache line to each other and back. The word in the line counts. Each store is one more
 * than the one before it, so no end can take its own store for an answer. Both ends run as many turns.
 */
export interface RoundTripEnd {
  readonly method: RoundTripMethod
  /**
   * Runs `turns` round trips. The first one also waits for the other end to begin.
   *
   * @returns turns that were left when the other end did not answer; 0: none
   */
  run(turns: number): number
  /** Sets the word back to zero, for the next pair of runs; neither end may run. */
  reset(): void
  close(): void
}

/**
 * Function of (rdi: turns, rsi: address of the word). rax: turns that were left.
 *
 * ```
 *   initiator:     mov rax, [rsi]               responder:     xor eax, eax
 *        turn:     inc rax; mov [rsi], rax           turn:     inc rax
 *                  inc rax; mov ecx, LOOKS_MAX                 mov ecx, LOOKS_MAX
 *        look:     cmp [rsi], rax; je next           look:     cmp [rsi], rax; je next
 *                  dec ecx; jnz look                           dec ecx; jnz look
 *                  mov rax, rdi; ret                           mov rax, rdi; ret
 *        next:     dec rdi; jnz turn                 next:     inc rax; mov [rsi], rax
 *                  xor eax, eax; ret                           dec rdi; jnz turn
 *                                                              xor eax, eax; ret
 * ```
 */
const CODE: Readonly<Record<RoundTripRole, readonly number[]>> = {
  initiator: [
    ...[0x48, 0x8b, 0x06, 0x48, 0xff, 0xc0, 0x48, 0x89, 0x06, 0x48, 0xff, 0xc0],
    ...[0xb9, 0x00, 0x00, 0x00, 0x08, 0x48, 0x39, 0x06, 0x74, 0x08, 0xff, 0xc9, 0x75, 0xf7, 0x48, 0x89, 0xf8, 0xc3],
    ...[0x48, 0xff, 0xcf, 0x75, 0xe0, 0x31, 0xc0, 0xc3],
  ],
  responder: [
    ...[0x31, 0xc0, 0x48, 0xff, 0xc0],
    ...[0xb9, 0x00, 0x00, 0x00, 0x08, 0x48, 0x39, 0x06, 0x74, 0x08, 0xff, 0xc9, 0x75, 0xf7, 0x48, 0x89, 0xf8, 0xc3],
    ...[0x48, 0xff, 0xc0, 0x48, 0x89, 0x06, 0x48, 0xff, 0xcf, 0x75, 0xe0, 0x31, 0xc0, 0xc3],
  ],
}

/**
 * An end of a round trip for the calling thread. It is machine code where there is some for this processor and the
 * kernel lets memory be executable. Else it is by Atomics. Both ends of a pair need the same method.
 *
 * @param memory zeroed, {@link ROUND_TRIP_BYTES} long, shared with the other end's thread
 * @param method default: the best that is there
 * @throws VringError ERR_OUT_OF_RANGE for memory of another length
 */
export function roundTripEnd(role: RoundTripRole, memory: SharedArrayBuffer, method?: RoundTripMethod): RoundTripEnd {
  if (memory.byteLength !== ROUND_TRIP_BYTES)
    throw refused('ERR_OUT_OF_RANGE', 'memory.byteLength', memory.byteLength, `${ROUND_TRIP_BYTES}`)
  if (method === 'atomics' || unsupportedHost() !== null) return new AtomicsEnd(role, memory)
  try {
    return new CodeEnd(role, memory)
  } catch (error) {
    if (method === undefined && isVringError(error)) return new AtomicsEnd(role, memory)
    throw error
  }
}

class CodeEnd implements RoundTripEnd {
  readonly method = 'machine code'
  readonly #code: MachineCode
  readonly #word: BigUint64Array
  readonly #address: number

  constructor(role: RoundTripRole, memory: SharedArrayBuffer) {
    const address = nativeAddress(memory)
    const offset = -address & (APART_BYTES - 1)
    this.#word = new BigUint64Array(memory, offset, 1)
    this.#address = address + offset
    this.#code = MachineCode.of(Uint8Array.from(CODE[role]), 'x64')
  }

  run(turns: number): number {
    return Number(this.#code.call(turns, this.#address))
  }

  reset(): void {
    Atomics.store(this.#word, 0, 0n)
  }

  close(): void {
    this.#code.unmap()
  }
}

class AtomicsEnd implements RoundTripEnd {
  readonly method = 'atomics'
  readonly #initiates: boolean
  readonly #words: Int32Array

  constructor(role: RoundTripRole, memory: SharedArrayBuffer) {
    this.#initiates = role === 'initiator'
    // In the middle of the page: nothing else is near it, wherever the page begins.
    this.#words = new Int32Array(memory, ROUND_TRIP_BYTES / 2, 1)
  }

  run(turns: number): number {
    const words = this.#words
    let count = this.#initiates ? Atomics.load(words, 0) : 0
    for (let left = turns; left > 0; left--) {
      // A plain store: Atomics.store is a locked instruction, which took as long as the way of the line.
      if (this.#initiates) words[0] = ++count
      count++
      let looks = ATOMICS_LOOKS_MAX
      while (Atomics.load(words, 0) !== count) if (--looks === 0) return left
      if (!this.#initiates) words[0] = ++count
    }
    return 0
  }

  reset(): void {
    Atomics.store(this.#words, 0, 0)
  }

  close(): void {}
}
