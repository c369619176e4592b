import { CMSGHDR, IOVEC, MSGHDR, SCM_RIGHTS, SOL_SOCKET } from '../abi.ts'
import { fixedBytes, libc } from '../libc.ts'

/** Descriptors that one message carries at most. Source: Linux `SCM_MAX_FD`. */
export const SCM_MAX_FD = 253

/**
 * A `struct msghdr` with one data buffer and one control buffer for descriptors, laid out once and used again:
 *
 * ```
 *   msghdr ──msg_iov──▶ iovec ──iov_base──▶ data
 *          └─msg_control──▶ cmsghdr(SOL_SOCKET, SCM_RIGHTS) fd fd fd ...
 * ```
 */
export class RightsMessage {
  readonly header: Uint8Array = fixedBytes(MSGHDR.size)
  readonly data: Uint8Array
  readonly #iovec = fixedBytes(IOVEC.size)
  readonly #control = fixedBytes(align8(CMSGHDR.size + 4 * SCM_MAX_FD))
  readonly #headerView = new DataView(this.header.buffer)
  readonly #iovecView = new DataView(this.#iovec.buffer)
  readonly #controlView = new DataView(this.#control.buffer)
  readonly #controlAddress: bigint

  /** @param capacity bytes of data that one message holds at most */
  constructor(capacity: number) {
    const { koffi } = libc()
    this.data = fixedBytes(capacity)
    this.#iovecView.setBigUint64(IOVEC.iov_base, koffi.address(this.data), true)
    this.#headerView.setBigUint64(MSGHDR.msg_iov, koffi.address(this.#iovec), true)
    this.#headerView.setBigUint64(MSGHDR.msg_iovlen, 1n, true)
    this.#controlAddress = koffi.address(this.#control)
  }

  /** Makes it a message to send: `length` bytes of {@link data} from the front, and these descriptors. */
  prepareSend(length: number, fds: readonly number[]): void {
    this.#iovecView.setBigUint64(IOVEC.iov_len, BigInt(length), true)
    const bytes = CMSGHDR.size + 4 * fds.length
    this.#setControl(fds.length === 0 ? 0 : align8(bytes))
    this.#controlView.setBigUint64(CMSGHDR.cmsg_len, BigInt(bytes), true)
    this.#controlView.setInt32(CMSGHDR.cmsg_level, SOL_SOCKET, true)
    this.#controlView.setInt32(CMSGHDR.cmsg_type, SCM_RIGHTS, true)
    for (const [index, fd] of fds.entries()) this.#controlView.setInt32(CMSGHDR.size + 4 * index, fd, true)
  }

  /** Makes it a message to receive: up to `length` bytes. */
  prepareReceive(length: number): void {
    this.#iovecView.setBigUint64(IOVEC.iov_len, BigInt(length), true)
    this.#setControl(this.#control.length)
  }

  /** Appends the descriptors that were received; they are the caller's to close. */
  takeFds(fds: number[]): void {
    const view = this.#controlView
    const end = Number(this.#headerView.getBigUint64(MSGHDR.msg_controllen, true))
    for (let at = 0; at + CMSGHDR.size <= end; ) {
      const length = Number(view.getBigUint64(at + CMSGHDR.cmsg_len, true))
      if (length < CMSGHDR.size) return
      const rights =
        view.getInt32(at + CMSGHDR.cmsg_level, true) === SOL_SOCKET &&
        view.getInt32(at + CMSGHDR.cmsg_type, true) === SCM_RIGHTS
      if (rights) for (let fd = at + CMSGHDR.size; fd + 4 <= at + length; fd += 4) fds.push(view.getInt32(fd, true))
      at += align8(length)
    }
  }

  #setControl(bytes: number): void {
    this.#headerView.setBigUint64(MSGHDR.msg_control, bytes === 0 ? 0n : this.#controlAddress, true)
    this.#headerView.setBigUint64(MSGHDR.msg_controllen, BigInt(bytes), true)
    this.#headerView.setInt32(MSGHDR.msg_flags, 0, true)
  }
}

function align8(bytes: number): number {
  return (bytes + 7) & ~7
}
