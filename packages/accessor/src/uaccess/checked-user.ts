import { EFAULT } from '@vring/layout'
import type { Cpu } from '../ports/cpu.ts'
import type { UserAccess } from './user-access.ts'
import { UserCopy } from './user-copy.ts'

/**
 * `get_user`, `put_user`, `copy_from_user`, `copy_to_user` of x86-64 in 2019: each call compares with addr_limit and
 * branches. Scalar reads then force the address to 0 by a mask that depends on the comparison's data. So a mispredicted
 * branch reads nothing of an attacker's choice. Writes and copies have only the branch.
 * Source: Linux 5.0 `arch/x86/lib/getuser.S`, `putuser.S`, `lib/usercopy.c`.
 */
export class CheckedUser2019 extends UserCopy implements UserAccess {
  get16(address: number): number {
    const { limit } = this.space
    if (!this.accessOk(address, 2, limit)) return EFAULT
    return this.read16(this.cpu.mask(address, limit - 1))
  }

  get16Acquire(address: number): number {
    const { limit } = this.space
    if (!this.accessOk(address, 2, limit)) return EFAULT
    return this.read16Acquire(this.cpu.mask(address, limit - 1))
  }

  get32(address: number): number {
    const { limit } = this.space
    if (!this.accessOk(address, 4, limit)) return EFAULT
    return this.read32(this.cpu.mask(address, limit - 3))
  }

  copyFrom(address: number, out: Uint32Array, index: number, count: number): number {
    if (!this.accessOk(address, 4 * count, this.space.limit)) return EFAULT
    return this.readWords(address, out, index, count)
  }

  put16(address: number, value: number): number {
    if (!this.accessOk(address, 2, this.space.limit)) return EFAULT
    return this.write16(address, value)
  }

  put16Release(address: number, value: number): number {
    if (!this.accessOk(address, 2, this.space.limit)) return EFAULT
    return this.write16Release(address, value)
  }

  put32(address: number, value: number): number {
    if (!this.accessOk(address, 4, this.space.limit)) return EFAULT
    return this.write32(address, value)
  }

  // A single pair of words was two put_user calls, as in UncheckedUser2019.
  copyTo(address: number, words: Uint32Array, index: number, count: number): number {
    if (count === 2) {
      const status = this.put32(address, words[index]!)
      return status < 0 ? status : this.put32(address + 4, words[index + 1]!)
    }
    if (!this.accessOk(address, 4 * count, this.space.limit)) return EFAULT
    return this.writeWords(address, words, index, count)
  }

  private accessOk(address: number, length: number, limit: number): boolean {
    const { cpu } = this
    return cpu.predict(cpu.checkLimit(address, length, limit))
  }
}

/**
 * The same functions in Linux 6.18. Reads, puts and `copy_from_user` clamp the address to the first one that is not a
 * user address, which always faults. No branch is left to train. `copy_to_user` keeps its branch.
 * Source: Linux 6.18 `arch/x86/lib/getuser.S`, `putuser.S`, `arch/x86/include/asm/uaccess_64.h` (`mask_user_address`).
 */
export class CheckedUser618 extends UserCopy implements UserAccess {
  get16(address: number): number {
    return this.read16(clampAddress(this.cpu, address, this.space.limit))
  }

  get16Acquire(address: number): number {
    return this.read16Acquire(clampAddress(this.cpu, address, this.space.limit))
  }

  get32(address: number): number {
    return this.read32(clampAddress(this.cpu, address, this.space.limit))
  }

  copyFrom(address: number, out: Uint32Array, index: number, count: number): number {
    return this.readWords(clampAddress(this.cpu, address, this.space.limit), out, index, count)
  }

  put16(address: number, value: number): number {
    return this.write16(clampAddress(this.cpu, address, this.space.limit), value)
  }

  put16Release(address: number, value: number): number {
    return this.write16Release(clampAddress(this.cpu, address, this.space.limit), value)
  }

  put32(address: number, value: number): number {
    return this.write32(clampAddress(this.cpu, address, this.space.limit), value)
  }

  copyTo(address: number, words: Uint32Array, index: number, count: number): number {
    const { cpu, space } = this
    if (!cpu.predict(cpu.checkLimit(address, 4 * count, space.limit))) return EFAULT
    return this.writeWords(address, words, index, count)
  }
}

/**
 * vhost as of commit 3b34d6324d1f ("vhost: use 'checked' versions of get_user() and put_user()"): scalars are checked,
 * the copies stayed `__copy_from_user` and `__copy_to_user`.
 */
export class CheckedScalarsUser2025 extends CheckedUser618 {
  override copyFrom(address: number, out: Uint32Array, index: number, count: number): number {
    return this.readWords(address, out, index, count)
  }

  override copyTo(address: number, words: Uint32Array, index: number, count: number): number {
    return this.writeWords(address, words, index, count)
  }
}

/**
 * `address` when it is a user address, else `limit`: measured from the limit downwards, an array_index_nospec whose
 * "else 0" is the address that always faults.
 */
function clampAddress(cpu: Cpu, address: number, limit: number): number {
  return limit - cpu.mask(limit - address, limit + 1)
}
