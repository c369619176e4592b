import { EFAULT, EINVAL } from '@vring/layout'
import { describe, expect, test, vi } from 'vitest'
import { closeFd } from '../descriptors/fd.ts'
import { createMemfd } from '../memory/memfd.ts'
import { nativeAddress } from '../native-address.ts'
import { processResources } from '../processes/process-resources.ts'
import { systemErrnoOf } from '../system-error.ts'
import {
  IORING_OP_READ,
  IORING_OP_READ_FIXED,
  IORING_OP_WRITE,
  IORING_OP_WRITE_FIXED,
  IOSQE_FIXED_FILE,
  IoUring,
  SQE_ADDRESS,
  SQE_BUF_INDEX,
  SQE_FD,
  SQE_LENGTH,
  SQE_OPCODE,
  SQE_WORDS,
} from './io-uring.ts'

const ENXIO = -6

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

    test('writes from a registered buffer and reads into it, until it is taken out', () => {
      const fd = createMemfd('vring-io-uring', 4096)
      const ring = IoUring.create(1)
      const buffer = new ArrayBuffer(16)
      const bytes = Uint8Array.from({ length: 16 }, (_, i) => i)
      new Uint8Array(buffer).set(bytes)
      const address = nativeAddress(buffer)
      const run = (opcode: number, index: number, offset: number, length: number): number => {
        ring.sqes[SQE_OPCODE] = opcode
        ring.sqes[SQE_FD] = fd
        ring.sqes[SQE_ADDRESS] = address + offset
        ring.sqes[SQE_ADDRESS + 1] = (address + offset) / 2 ** 32
        ring.sqes[SQE_LENGTH] = length
        ring.sqes[SQE_BUF_INDEX] = index
        expect(ring.submit(1)).toBe(1)
        const result = ring.result(0)
        ring.release(1)
        return result
      }
      try {
        expect(ring.setBuffer(0, address, 16)).toBe(ENXIO)
        expect(ring.registerBufferTable(2)).toBe(true)
        expect(run(IORING_OP_WRITE_FIXED, 1, 0, 8)).toBe(EFAULT)
        expect(ring.setBuffer(1, address, 16)).toBe(0)
        expect(run(IORING_OP_WRITE_FIXED, 1, 2, 6)).toBe(6)
        expect(run(IORING_OP_READ_FIXED, 1, 10, 4)).toBe(4)
        expect([...new Uint8Array(buffer)]).toEqual([...bytes.subarray(0, 10), 2, 3, 4, 5, 14, 15])
        // Beyond its end, and no such buffer.
        expect(run(IORING_OP_WRITE_FIXED, 1, 12, 8)).toBe(EFAULT)
        expect(run(IORING_OP_WRITE_FIXED, 2, 0, 8)).toBe(EFAULT)
        expect(ring.setBuffer(2, address, 16)).toBe(EINVAL)
        expect(ring.setBuffer(1, 0, 0)).toBe(0)
        expect(run(IORING_OP_WRITE_FIXED, 1, 0, 8)).toBe(EFAULT)
      } finally {
        ring.close()
        closeFd(fd)
      }
    })

    test('reports an error per entry and goes on with the next', () => {
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

    test('leaves no descriptor open when it is closed, and may be closed again', async () => {
      const before = processResources()
      for (let i = 0; i < 8; i++) {
        const ring = IoUring.create(8)
        ring.close()
        ring.close()
      }
      await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before.openFds), 10_000)
    })
  })
})
