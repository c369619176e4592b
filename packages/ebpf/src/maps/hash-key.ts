import { indexAt } from './base-map.ts'

const GOLDEN = 0xdeadbeef
const TRIPLE = 12

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}

/** The word at `at`, of which only `bytes` belong to the key. */
function tail(memory: Uint8Array, at: number, bytes: number): number {
  let word = 0
  for (let i = 0; i < bytes && i < 4; i++) word |= memory[at + i]! << (8 * i)
  return word
}

/**
 * A hash of a key's bytes. The seed is random for each map: a sender of frames can’t choose keys that share a bucket.
 * Source: Linux include/linux/jhash.h, jhash (Bob Jenkins, lookup3); kernel/bpf/hashtab.c, htab->hashrnd.
 */
export function hashKey(memory: Uint8Array, key: number, bytes: number, seed: number): number {
  let a = (GOLDEN + bytes + seed) | 0
  let b = a
  let c = a
  let at = key
  let left = bytes
  for (; left > TRIPLE; left -= TRIPLE, at += TRIPLE) {
    a = (a + indexAt(memory, at)) | 0
    b = (b + indexAt(memory, at + 4)) | 0
    c = (c + indexAt(memory, at + 8)) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  a = (a + tail(memory, at, left)) | 0
  b = (b + tail(memory, at + 4, left - 4)) | 0
  c = (c + tail(memory, at + 8, left - 8)) | 0
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  return ((c ^ b) - rotate(b, 24)) | 0
}
