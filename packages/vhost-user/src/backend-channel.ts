import { encodeMessage } from './header.ts'
import { IOTLB_MISS, iotlb } from './payload.ts'
import type { Transport } from './transport.ts'

/** Numbers of the messages that a backend sends. Source: the specification, section "Back-end message types". */
export const BACKEND_IOTLB_MSG = 1

/**
 * How long a miss may wait for room in the channel, in ms. It is sent inside a round: all rings of the session wait, and who
 * stops the device waits for them. Some hundred misses fit in; a frontend that leaves so many unread serves none.
 */
const ROOM_MS = 100

/** The socket on which the backend asks (BACKEND_REQ): here, for translations that its device IOTLB misses. */
export class BackendChannel {
  readonly #transport: Transport

  /** Takes the transport over. */
  constructor(transport: Transport) {
    this.#transport = transport
  }

  /**
   * Asks for the translation of an IOVA; the answer comes as IOTLB_MSG on the session's own socket.
   *
   * @param permission bit set: 1 read, 2 write
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  iotlbMiss(iova: number, permission: number): void {
    const payload = iotlb.encode({ iova, size: 0, userAddress: 0, permission, type: IOTLB_MISS })
    this.#transport.send(encodeMessage(BACKEND_IOTLB_MSG, 0, payload), [], ROOM_MS)
  }

  close(): void {
    this.#transport.close()
  }
}
