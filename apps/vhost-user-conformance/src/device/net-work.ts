import { NET_HDR_MRG_BYTES } from '@vring/layout'
import type { Queue } from '../driver/queue.ts'
import type { Session } from '../driver/session.ts'
import { FRAME_BYTES, writeFrame } from './net.ts'

/** Bytes of a receive buffer of the judge: a frame of 1514 bytes and its header. */
const RECEIVE_BYTES = 1536

/** Gives the device buffers to receive into, and kicks. Returns where each one lies, by its id. */
export function postReceiveBuffers(queue: Queue, count: number, bytes: number = RECEIVE_BYTES): Map<number, number> {
  const { ring } = queue
  const places = new Map<number, number>()
  for (let n = 0; n < count; n++) {
    const at = ring.memory.take(bytes, 64)
    places.set(ring.add([{ address: ring.memory.guest(at), length: bytes, writable: true }]), at)
  }
  ring.publish()
  queue.kick()
  return places
}

/** Transmits one frame and waits until it is used; `seed` makes its bytes its own. Returns its bytes. */
export function transmitFrame(session: Session, queue: Queue, seed = 0): Uint8Array {
  const { ring } = queue
  const at = writeFrame(session.memory, seed)
  ring.add([{ address: session.memory.guest(at), length: NET_HDR_MRG_BYTES + FRAME_BYTES, writable: false }])
  ring.publish()
  queue.kick()
  queue.used(1)
  return session.memory.bytes.slice(at + NET_HDR_MRG_BYTES, at + NET_HDR_MRG_BYTES + FRAME_BYTES)
}
