import { DESC_BYTES } from '@vring/layout'
import { ACCESS_READ } from '@vring/memory'
import type { UserAccess } from './user-access.ts'
import { UserCopy } from './user-copy.ts'

/**
 * `__get_user`, `__put_user`, `__copy_from_user`, `__copy_to_user` of x86-64 in 2019: the caller has checked the range
 * once, so reads carry a speculation barrier instead of a check, and writes carry neither.
 * Source: Linux 5.0 `arch/x86/include/asm/uaccess.h`, `uaccess_64.h`, `drivers/vhost/vhost.c`.
 */
export class UncheckedUser2019 extends UserCopy implements UserAccess {
  get16(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    const value = at < 0 ? at : cpu.load16(space.view, at)
    cpu.clac()
    return value
  }

  get16Acquire(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 2, ACCESS_READ)
    const value = at < 0 ? at : cpu.load16Acquire(space.view, at)
    cpu.clac()
    return value
  }

  get32(address: number): number {
    const { cpu, space } = this
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, 4, ACCESS_READ)
    const value = at < 0 ? at : cpu.load32(space.view, at)
    cpu.clac()
    return value
  }

  // A constant 16-byte __copy_from_user was two fenced 64-bit loads, not a call of the copier.
  copyDescriptor(address: number, out: Uint32Array, index: number): number {
    const { cpu, space } = this
    let status = 0
    cpu.stac()
    cpu.lfence()
    const at = cpu.translate(space, address, DESC_BYTES, ACCESS_READ)
    if (at >= 0) cpu.loadDescriptor(space.view, at, out, index)
    else status = this.copyWords(at, address, out, index, DESC_BYTES / 4, ACCESS_READ)
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

  // __vhost_add_used_n of Linux 5.0 puts a single element as two 4-byte words; later kernels always copy.
  copyUsed(address: number, elements: Uint32Array, index: number, count: number): number {
    if (count !== 1) return this.writeUsed(address, elements, index, count)
    const status = this.put32(address, elements[index]!)
    return status < 0 ? status : this.put32(address + 4, elements[index + 1]!)
  }
}

/**
 * The same functions in Linux 6.18: the small-constant cases of `__copy_from_user` are gone, so the descriptor copy has
 * no barrier any more; scalars kept theirs. Source: Linux 6.18 `arch/x86/include/asm/uaccess_64.h`.
 */
export class UncheckedUser618 extends UncheckedUser2019 {
  override copyDescriptor(address: number, out: Uint32Array, index: number): number {
    return this.readDescriptor(address, out, index)
  }

  override copyUsed(address: number, elements: Uint32Array, index: number, count: number): number {
    return this.writeUsed(address, elements, index, count)
  }
}
