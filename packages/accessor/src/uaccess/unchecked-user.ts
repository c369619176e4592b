import { ACCESS_READ } from '@vring/memory'
import type { UserAccess } from './user-access.ts'
import { UserCopy } from './user-copy.ts'

/**
 * `__get_user`, `__put_user`, `__copy_from_user`, `__copy_to_user` of x86-64 in 2019. The caller has checked the range
 * once. So reads carry a speculation barrier instead of a check, and writes carry neither.
 * Source: Linux 5.0 `arch/x86/include/asm/uaccess.h`, `uaccess_64.h`, `drivers/vhost/vhost.c`.
 */
export class UncheckedUser2019 extends UserCopy implements UserAccess {
  get16(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    const value = at < 0 ? at : cpu.load16(space.view.u16, at >>> 1)
    cpu.clac()
    return value
  }

  get16Acquire(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    const value = at < 0 ? at : cpu.load16Acquire(space.view.u16, at >>> 1)
    cpu.clac()
    return value
  }

  get32(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 4, ACCESS_READ)
    const value = at < 0 ? at : cpu.load32(space.view.u32, at >>> 2)
    cpu.clac()
    return value
  }

  // A __copy_from_user of a small constant size was fenced loads, not a call of the copier.
  copyFrom(address: number, out: Uint32Array, index: number, count: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 4 * count, ACCESS_READ)
    if (at >= 0) cpu.loadWords(space.view.u32, at >>> 2, out, index, count)
    else status = this.copyWords(at, address, out, index, count, ACCESS_READ)
    cpu.clac()
    return status
  }

  put16(address: number, value: number): number {
    return this.write16(address, value)
  }

  put16Release(address: number, value: number): number {
    return this.write16Release(address, value)
  }

  put32(address: number, value: number): number {
    return this.write32(address, value)
  }

  // vhost of Linux 5.0 puts a single pair of words by two __put_user; later kernels always copy.
  copyTo(address: number, words: Uint32Array, index: number, count: number): number {
    if (count !== 2) return this.writeWords(address, words, index, count)
    const status = this.put32(address, words[index]!)
    return status < 0 ? status : this.put32(address + 4, words[index + 1]!)
  }
}

/**
 * The same functions in Linux 6.18: the small-constant cases of `__copy_from_user` are gone, so the copy has
 * no barrier any more; scalars kept theirs. Source: Linux 6.18 `arch/x86/include/asm/uaccess_64.h`.
 */
export class UncheckedUser618 extends UncheckedUser2019 {
  override copyFrom(address: number, out: Uint32Array, index: number, count: number): number {
    return this.readWords(address, out, index, count)
  }

  override copyTo(address: number, words: Uint32Array, index: number, count: number): number {
    return this.writeWords(address, words, index, count)
  }
}
