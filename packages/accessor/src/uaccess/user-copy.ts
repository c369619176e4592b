import { EFAULT, EXDEV } from '@vring/layout'
import { ACCESS_READ, ACCESS_WRITE, type Access, PAGE_BYTES, type UserSpace } from '@vring/memory'
import type { Cpu } from '../ports/cpu.ts'

/**
 * What every form of user access ends in: stac, translation, the loads or stores, clac. No check, no fence, no mask; the
 * forms built on it add theirs before. Source: Linux 5.0 `arch/x86/include/asm/uaccess.h`, `lib/getuser.S`.
 *
 * Addresses are aligned to the width of the access (2 or 4 bytes; copies: 4), so a scalar never straddles a page. A
 * copy may. It then goes on page by page inside the same stac/clac pair.
 */
export class UserCopy {
  readonly cpu: Cpu
  readonly space: UserSpace

  constructor(cpu: Cpu, space: UserSpace) {
    this.cpu = cpu
    this.space = space
  }

  read16(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    const value = at < 0 ? at : cpu.load16(space.view.u16, at >>> 1)
    cpu.clac()
    return value
  }

  read16Acquire(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    const value = at < 0 ? at : cpu.load16Acquire(space.view.u16, at >>> 1)
    cpu.clac()
    return value
  }

  read32(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    const at = cpu.translate(space, address, 4, ACCESS_READ)
    const value = at < 0 ? at : cpu.load32(space.view.u32, at >>> 2)
    cpu.clac()
    return value
  }

  readWords(address: number, out: Uint32Array, index: number, count: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    const at = cpu.translate(space, address, 4 * count, ACCESS_READ)
    if (at >= 0) cpu.loadWords(space.view.u32, at >>> 2, out, index, count)
    else status = this.copyWords(at, address, out, index, count, ACCESS_READ)
    cpu.clac()
    return status
  }

  write16(address: number, value: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    const at = cpu.translate(space, address, 2, ACCESS_WRITE)
    if (at < 0) status = at
    else cpu.store16(space.view.u16, at >>> 1, value)
    cpu.clac()
    return status
  }

  write16Release(address: number, value: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    const at = cpu.translate(space, address, 2, ACCESS_WRITE)
    if (at < 0) status = at
    else cpu.store16Release(space.view.u16, at >>> 1, value)
    cpu.clac()
    return status
  }

  write32(address: number, value: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    const at = cpu.translate(space, address, 4, ACCESS_WRITE)
    if (at < 0) status = at
    else cpu.store32(space.view.u32, at >>> 2, value)
    cpu.clac()
    return status
  }

  writeWords(address: number, words: Uint32Array, index: number, count: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    const at = cpu.translate(space, address, 4 * count, ACCESS_WRITE)
    if (at >= 0) cpu.storeWords(space.view.u32, at >>> 2, words, index, count)
    else status = this.copyWords(at, address, words, index, count, ACCESS_WRITE)
    cpu.clac()
    return status
  }

  /**
   * Copies `count` 32-bit words in: the variable-size copier of `copy_from_iter`, with its check and branch.
   *
   * @returns 0 or a negative errno
   */
  copyIn(address: number, words: Uint32Array, index: number, count: number): number {
    return this.copier(address, words, index, count, ACCESS_READ)
  }

  /**
   * Copies `count` 32-bit words out: `copy_to_iter`.
   *
   * @returns 0 or a negative errno
   */
  copyOut(address: number, words: Uint32Array, index: number, count: number): number {
    return this.copier(address, words, index, count, ACCESS_WRITE)
  }

  private copier(address: number, words: Uint32Array, index: number, count: number, access: Access): number {
    const { cpu, space } = this
    if (!cpu.predict(cpu.checkLimit(address, 4 * count, space.limit))) return EFAULT
    cpu.stac()
    const status = this.copyWords(EXDEV, address, words, index, count, access)
    cpu.clac()
    return status
  }

  /**
   * The rest of a copy whose translation as a whole gave `errno`. It is nothing unless the range merely is not
   * contiguous (-EXDEV). Then it is copied word by word, one translation a page. Called with AC set.
   *
   * @returns 0 or a negative errno
   */
  copyWords(errno: number, address: number, words: Uint32Array, index: number, count: number, access: Access): number {
    if (errno !== EXDEV) return errno
    const { cpu, space } = this
    for (let word = 0; word < count; ) {
      const from = address + 4 * word
      const inPage = (PAGE_BYTES - (from % PAGE_BYTES)) >>> 2
      const end = Math.min(count, word + inPage)
      let at = cpu.translate(space, from, 4 * (end - word), access)
      if (at < 0) return at
      for (; word < end; word++, at += 4) {
        if (access === ACCESS_READ) words[index + word] = cpu.load32(space.view.u32, at >>> 2)
        else cpu.store32(space.view.u32, at >>> 2, words[index + word]!)
      }
    }
    return 0
  }
}
