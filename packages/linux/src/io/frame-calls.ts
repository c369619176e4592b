import { IOVEC } from '../abi.ts'
import { fixedBytes, type Libc, libc } from '../libc.ts'
import { nativeAddress } from '../native-address.ts'

/**
 * Reads and writes of one buffer by its address, one system call each, without allocation: readv(2) and writev(2) over
 * an iovec that is written over. For descriptors where a call is one frame.
 */
export class FrameCalls {
  private readonly libc: Libc = libc()
  private readonly iovec = fixedBytes(IOVEC.size)
  private readonly words: Uint32Array
  private readonly pointer: bigint

  constructor() {
    this.words = new Uint32Array(this.iovec.buffer)
    this.pointer = BigInt(nativeAddress(this.iovec.buffer))
  }

  /** @returns bytes read, or a negative errno */
  read(fd: number, address: number, length: number): number {
    this.set(address, length)
    const result = this.libc.readv(fd, this.pointer, 1)
    return result < 0 ? -this.libc.errno() : result
  }

  /** @returns bytes written, or a negative errno */
  write(fd: number, address: number, length: number): number {
    this.set(address, length)
    const result = this.libc.writev(fd, this.pointer, 1)
    return result < 0 ? -this.libc.errno() : result
  }

  private set(address: number, length: number): void {
    const words = this.words
    words[IOVEC.iov_base >>> 2] = address
    words[(IOVEC.iov_base >>> 2) + 1] = address / 2 ** 32
    words[IOVEC.iov_len >>> 2] = length
  }
}
