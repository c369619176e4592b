import assert from 'node:assert/strict'
import { type Cpu, plainCpu } from '@vring/accessor'

/** Barriers that one run of a case may take: a device that takes more does not come to an end. */
const BARRIERS_MAX = 10_000

/** A load of shared memory: the bytes of `buffer` that it read. */
export type OnLoad = (buffer: ArrayBufferLike, at: number, length: number) => void

/**
 * A Cpu port beside a driver that is quicker than the device: after each load of the device it may write what it likes.
 * A device that fetches a field twice then gets two values.
 */
export function hostileCpu(onLoad: OnLoad): Cpu {
  let barriers = 0
  const told = (array: Uint16Array | Uint32Array, index: number, count: number): void =>
    onLoad(array.buffer, array.byteOffset + array.BYTES_PER_ELEMENT * index, array.BYTES_PER_ELEMENT * count)
  const port: Partial<Cpu> = {
    mb: () => assert.ok(++barriers < BARRIERS_MAX, 'the device goes round and round'),
    load16: (words, index) => after(plainCpu.load16(words, index), () => told(words, index, 1)),
    load16Acquire: (words, index) => after(plainCpu.load16Acquire(words, index), () => told(words, index, 1)),
    load32: (words, index) => after(plainCpu.load32(words, index), () => told(words, index, 1)),
    load64: (words, index) => after(plainCpu.load64(words, index), () => told(words, index, 2)),
    loadWords: (words, index, out, at, count) => {
      plainCpu.loadWords(words, index, out, at, count)
      told(words, index, count)
    },
    copy: (to, toOffset, from, fromOffset, length) => {
      plainCpu.copy(to, toOffset, from, fromOffset, length)
      onLoad(from.u8.buffer, from.u8.byteOffset + fromOffset, length)
    },
  }
  return Object.assign(Object.create(plainCpu) as Cpu, port)
}

function after(value: number, then: () => void): number {
  then()
  return value
}
