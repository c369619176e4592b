import { describe, expect, test } from 'vitest'
import { closeFd } from './fd.ts'
import {
  IORING_OP_READ,
  IORING_OP_WRITE,
  IOSQE_FIXED_FILE,
  IoUring,
  SQE_ADDRESS,
  SQE_FD,
  SQE_LENGTH,
  SQE_OPCODE,
  SQE_WORDS,
} from './io-uring.ts'
import { createMemfd } from './memfd.ts'
import { nativeAddress } from './native-address.ts'
import { processResources } from './process-resources.ts'
import { systemErrnoOf } from './system-error.ts'

/** Why this host has no io_uring (containers often forbid it), or null. */
function missing(): string | null {
  try {
    IoUring.create(1).close()
    return null
  } catch (error) {
    return systemErrnoOf(error)
  }
}

describe('IoUring', () => {
  test('refuses a number of entries that is no power of two', () => {
    for (const entries of [0, 3, 8192, 1.5]) expect(() => IoUring.create(entries)).toThrow(/a power of two/)
  })

  describe.skipIf(missing() !== null)(`on this host (${missing() ?? 'available'})`, () => {
    test('writes and reads a file by address, with results in order', () => {
      const fd = createMemfd('vring-io-uring', 4096)
      const ring = IoUring.create(4)
      const buffer = new ArrayBuffer(16)
      const bytes = new Uint8Array(buffer)
      bytes.set([1, 2, 3, 4, 5, 6, 7, 8])
      const address = nativeAddress(buffer)
      const fill = (index: number, opcode: number, offset: number, length: number): void => {
        const at = ((ring.tail + index) & (ring.entries - 1)) * SQE_WORDS
        ring.sqes[at + SQE_OPCODE] = opcode | (IOSQE_FIXED_FILE << 8)
        ring.sqes[at + SQE_FD] = 0
        ring.sqes[at + SQE_ADDRESS] = address + offset
        ring.sqes[at + SQE_ADDRESS + 1] = (address + offset) / 2 ** 32
        ring.sqes[at + SQE_LENGTH] = length
      }
      try {
        ring.registerFiles([fd])
        // More batches than the ring has slots, so that indices wrap.
        for (let round = 0; round < 5; round++) {
          fill(0, IORING_OP_WRITE, 0, 8)
          expect(ring.submit(1)).toBe(1)
          ring.release(1)
          bytes.fill(0, 8)
          fill(0, IORING_OP_READ, 8, 5)
          fill(1, IORING_OP_READ, 13, 3)
          expect(ring.submit(2)).toBe(2)
          expect([ring.result(0), ring.result(1)]).toEqual([5, 3])
          ring.release(2)
          expect([...bytes.subarray(8)]).toEqual([1, 2, 3, 4, 5, 1, 2, 3])
        }
      } finally {
        ring.close()
        closeFd(fd)
      }
    })

    test('reports an error per entry and goes on behind it', () => {
      const ring = IoUring.create(2)
      try {
        ring.sqes[SQE_OPCODE] = IORING_OP_READ
        ring.sqes[SQE_FD] = 0xffff_ffff
        expect(ring.submit(2)).toBe(2)
        // EBADF for the first; the second is IORING_OP_NOP.
        expect([ring.result(0), ring.result(1)]).toEqual([-9, 0])
        ring.release(2)
        expect(ring.completions()).toBe(0)
      } finally {
        ring.close()
      }
    })

    test('leaves no descriptor behind when it is closed, and may be closed again', () => {
      const before = processResources()
      for (let i = 0; i < 8; i++) {
        const ring = IoUring.create(8)
        ring.close()
        ring.close()
      }
      expect(processResources().openFds).toBe(before.openFds)
    })
  })
})
