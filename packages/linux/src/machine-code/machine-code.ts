import { refused, VringError } from '@vring/layout'
import type { TypeObject } from 'koffi'
import { MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi.ts'
import { libc } from '../libc.ts'
import { systemError } from '../system-error.ts'

/** Bytes of code at most: what is called here is a loop of some instructions. */
export const MACHINE_CODE_BYTES_MAX = 65_536

/**
 * A piece of machine code of this process's own: for what a compiler of JavaScript never emits, such as a barrier against
 * speculation. Pages are first writable, then executable, never both.
 *
 * The code is a function of two 64-bit integers in the C convention of the processor. It runs with all that this process
 * may do, and nothing checks it: only constants of a program belong here.
 */
export class MachineCode {
  private readonly length: number
  private readonly type: TypeObject
  private address: bigint | null

  private constructor(address: bigint, length: number, type: TypeObject) {
    this.address = address
    this.length = length
    this.type = type
  }

  /**
   * @param arch what the code is for, as `process.arch` names it
   * @throws VringError ERR_UNSUPPORTED on another processor, ERR_OUT_OF_RANGE for a bad length, ERR_SYSTEM: a kernel that
   * forbids executable memory says EACCES or EPERM
   */
  static of(code: Uint8Array, arch: string): MachineCode {
    const { length } = code
    if (length === 0 || length > MACHINE_CODE_BYTES_MAX)
      throw refused('ERR_OUT_OF_RANGE', 'code.length', length, `1 .. ${MACHINE_CODE_BYTES_MAX}`)
    if (process.arch !== arch)
      throw new VringError('ERR_UNSUPPORTED', `machine code for ${arch} on ${process.arch}`, {
        field: 'arch',
        value: arch,
      })
    const c = libc()
    const address = c.mmap(null, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if (address === MAP_FAILED) throw systemError('mmap', c.errno(), `${length} bytes of code`)
    new Uint8Array(c.koffi.view(address, length)).set(code)
    if (c.mprotect(address, length, PROT_READ | PROT_EXEC) !== 0) {
      const error = systemError('mprotect', c.errno(), 'making code executable')
      c.munmap(address, length)
      throw error
    }
    return new MachineCode(address, length, c.koffi.proto('int64_t', ['int64_t', 'int64_t']))
  }

  /**
   * Runs it.
   *
   * @returns what it left in the result register
   * @throws VringError ERR_CLOSED after {@link unmap}
   */
  call(first: number | bigint, second: number | bigint): number | bigint {
    if (this.address === null) throw new VringError('ERR_CLOSED', 'machine code was unmapped', { field: 'code' })
    return libc().koffi.call(this.address, this.type, first, second)
  }

  /** Gives the memory back. A second call does nothing. */
  unmap(): void {
    if (this.address === null) return
    const c = libc()
    if (c.munmap(this.address, this.length) !== 0)
      throw systemError('munmap', c.errno(), `${this.length} bytes of code`)
    this.address = null
  }
}
