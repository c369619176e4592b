import { isVringError } from '@vring/layout'
import { CallReceiver } from './call-receiver.ts'
import { CallSender } from './call-sender.ts'
import type { FrameReceiver } from './frame-receiver.ts'
import type { FrameSender, TapIo } from './frame-sender.ts'
import { UringReceiver } from './uring-receiver.ts'
import { UringSender } from './uring-sender.ts'

/** Both directions of a queue, over io_uring or over calls. */
export interface TapChannel {
  readonly sender: FrameSender
  readonly receiver: FrameReceiver
  /** Why io_uring is not used where it was wanted, or null. */
  readonly refusal: string | null
}

/**
 * @param slotBytes room for a received frame with its header
 * @param io `auto`: io_uring, or calls where the system refuses it
 * @throws VringError ERR_SYSTEM for `io_uring` where it is missing or refused
 */
export function openTapChannel(fd: number, slotBytes: number, io: TapIo | 'auto'): TapChannel {
  let refusal: string | null = null
  if (io !== 'readv') {
    try {
      return openUring(fd, slotBytes)
    } catch (error) {
      if (io === 'io_uring' || !isVringError(error)) throw error
      refusal = error.message
    }
  }
  return { sender: new CallSender(fd), receiver: new CallReceiver(fd, slotBytes), refusal }
}

function openUring(fd: number, slotBytes: number): TapChannel {
  const sender = new UringSender(fd)
  try {
    return { sender, receiver: new UringReceiver(fd, slotBytes), refusal: null }
  } catch (error) {
    sender.close()
    throw error
  }
}
