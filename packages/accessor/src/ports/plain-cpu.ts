import type { Access, AddressMap, MemoryView } from '@vring/memory'
import type { Cpu } from './cpu.ts'

/** Bytes from which memmove is quicker: 64 bytes take 14 ns by 64-bit words and 64 ns by memmove, 1500 bytes 267 and 68. */
const LONG_COPY_BYTES = 384

/**
 * The port that ships. User-mode JavaScript can neither toggle SMAP nor fence speculation, so these are no-ops that V8
 * inlines away. Loads and stores are typed-array accesses. A class with one instance, so that every call site of a
 * process sees one shape.
 *
 * Sums that index an array are made integers: V8 would check each for an overflow that the array's bounds check finds too.
 */
class PlainCpu implements Cpu {
  // A page that is not isolated from other origins has no shared memory, and no other thread to be ordered against.
  private readonly fence = new Int32Array(
    typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(4) : new SharedArrayBuffer(4),
  )

  stac(): void {}
  clac(): void {}
  lfence(): void {}

  mb(): void {
    // A sequentially consistent read-modify-write: a locked instruction on x86, hence a full barrier.
    Atomics.add(this.fence, 0, 0)
  }

  /** As {@link wmb}. */
  rmb(): void {
    Atomics.add(this.fence, 0, 0)
  }

  /** One locked instruction a batch, where x86 keeps stores in order by itself: no engine may reorder around it either. */
  wmb(): void {
    Atomics.add(this.fence, 0, 0)
  }

  checkLimit(address: number, length: number, limit: number): boolean {
    return address >= 0 && length <= limit - address
  }

  predict(condition: boolean): boolean {
    return condition
  }

  mask(value: number, limit: number): number {
    return value >= 0 && value < limit ? value : 0
  }

  indexNospec(index: number, size: number): number {
    return index & ((index - size) >> 31)
  }

  translate(map: AddressMap, address: number, length: number, access: Access): number {
    return map.resolve(address, length, access)
  }

  load16(words: Uint16Array, index: number): number {
    return words[index]!
  }

  load16Acquire(words: Uint16Array, index: number): number {
    return Atomics.load(words, index)
  }

  load32(words: Uint32Array, index: number): number {
    return words[index]!
  }

  load64(words: Uint32Array, index: number): number {
    return words[(index + 1) | 0]! * 0x1_0000_0000 + words[index]!
  }

  loadWords(words: Uint32Array, index: number, out: Uint32Array, at: number, count: number): void {
    // A descriptor: without the loop, whose every turn would look at both arrays again.
    if (count === 4) {
      out[at] = words[index]!
      out[(at + 1) | 0] = words[(index + 1) | 0]!
      out[(at + 2) | 0] = words[(index + 2) | 0]!
      out[(at + 3) | 0] = words[(index + 3) | 0]!
      return
    }
    for (let i = 0; i < count; i++) out[(at + i) | 0] = words[(index + i) | 0]!
  }

  store16(words: Uint16Array, index: number, value: number): void {
    words[index] = value
  }

  store16Release(words: Uint16Array, index: number, value: number): void {
    Atomics.store(words, index, value)
  }

  store32(words: Uint32Array, index: number, value: number): void {
    words[index] = value
  }

  /**
   * Writes what differs. A driver that recycles its buffers in order gets the same words in every lap. Left alone,
   * their cache lines stay shared with its core. A store would take them away from it, and a load would bring them
   * back. Two words at a time: an element of a used ring, and half the loop of one by one.
   */
  storeWords(words: Uint32Array, index: number, from: Uint32Array, at: number, count: number): void {
    let i = 0
    for (; i < count - 1; i = (i + 2) | 0) {
      const low = from[(at + i) | 0]!
      const high = from[(at + i + 1) | 0]!
      const to = (index + i) | 0
      if (((words[to]! ^ low) | (words[(to + 1) | 0]! ^ high)) === 0) continue
      words[to] = low
      words[(to + 1) | 0] = high
    }
    if (i < count && words[index + i] !== from[at + i]!) words[index + i] = from[at + i]!
  }

  copy(to: MemoryView, toOffset: number, from: MemoryView, fromOffset: number, length: number): void {
    // memmove, once the subarray that it takes is cheaper than a loop.
    if (length >= LONG_COPY_BYTES) {
      to.u8.set(from.u8.subarray(fromOffset, fromOffset + length), toOffset)
      return
    }
    let done = 0
    // By words where both sides are aligned, which headers and frames in rings usually are.
    if (((toOffset | fromOffset) & 3) === 0) {
      if (((toOffset ^ fromOffset) & 7) === 0) {
        if ((toOffset & 7) !== 0 && length >= 4) {
          to.u32[toOffset >>> 2] = from.u32[fromOffset >>> 2]!
          done = 4
        }
        done += copyWords64(to.u64, (toOffset + done) >>> 3, from.u64, (fromOffset + done) >>> 3, (length - done) >>> 3)
      }
      const target = to.u32
      const source = from.u32
      for (; done + 4 <= length; done += 4) target[(toOffset + done) >>> 2] = source[(fromOffset + done) >>> 2]!
    }
    const target = to.u8
    const source = from.u8
    for (; done < length; done++) target[toOffset + done] = source[fromOffset + done]!
  }

  lock(): void {}
  unlock(): void {}
  iotlbLookup(): void {}
}

/**
 * Copies `count` words; bytes copied. A load that is only stored again stays a machine word: no BigInt is made. Four in
 * each turn of the loop, as every turn looks at both arrays again.
 */
function copyWords64(
  to: BigUint64Array,
  toWord: number,
  from: BigUint64Array,
  fromWord: number,
  count: number,
): number {
  let i = 0
  for (const last = count - 3; i < last; i = (i + 4) | 0) {
    const target = (toWord + i) | 0
    const source = (fromWord + i) | 0
    to[target] = from[source]!
    to[(target + 1) | 0] = from[(source + 1) | 0]!
    to[(target + 2) | 0] = from[(source + 2) | 0]!
    to[(target + 3) | 0] = from[(source + 3) | 0]!
  }
  for (; i < count; i = (i + 1) | 0) to[(toWord + i) | 0] = from[(fromWord + i) | 0]!
  return 8 * count
}

/** The shipped {@link Cpu} port. */
export const plainCpu: Cpu = new PlainCpu()

/** {@link barrierCpu}'s class: of its own, so that what never meets a barrier has none to test for. */
class BarrierCpu extends PlainCpu {
  override lfence(): void {
    this.mb()
  }
}

/**
 * {@link plainCpu} with a locked add for each lfence, which JavaScript can't issue: a stand-in for what a speculation
 * barrier costs, to measure with. Alone it costs about as much (4.3 ns both on the machine of the README's figures).
 * Beyond lfence it waits for earlier stores, and it stops no speculation.
 */
export const barrierCpu: Cpu = new BarrierCpu()
