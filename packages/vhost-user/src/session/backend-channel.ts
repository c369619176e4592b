import { encodeMessage } from '../messages/header.ts'
import { IOTLB_MISS, iotlb } from '../messages/payload.ts'
import type { Transport } from '../messages/transport.ts'

/** Numbers of the messages that a backend sends. Source: the specification, section "Back-end message types". */
export const BACKEND_IOTLB_MSG = 1
export const BACKEND_CONFIG_CHANGE_MSG = 2

/**
 * The socket on which the backend asks (BACKEND_REQ): for translations, and that the driver reads the configuration
 * space again.
 */
export class BackendChannel {
  readonly #transport: Transport

  /** Takes the transport over. */
  constructor(transport: Transport) {
    this.#transport = transport
  }

  /**
   * Asks for the translation of an IOVA; the answer comes as IOTLB_MSG on the session's own socket. It is
   * sent inside a round, so it waits for nothing: some hundred misses fit into the channel.
   *
   * @param permission bit set: 1 read, 2 write
   *
   * @throws VringError ERR_CLOSED, ERR_SYSTEM (`ETIMEDOUT`: there is no room now)
   */
  iotlbMiss(iova: number, permission: number): void {
    const payload = iotlb.encode({ iova, size: 0, userAddress: 0, permission, type: IOTLB_MISS })
    this.#transport.send(encodeMessage(BACKEND_IOTLB_MSG, 0, payload), [], 0)
  }

  /**
   * The configuration space changed.
   *
   * @throws VringError ERR_CLOSED, ERR_SYSTEM
   */
  configChanged(): void {
    this.#transport.send(encodeMessage(BACKEND_CONFIG_CHANGE_MSG, 0, new Uint8Array(0)), [], 0)
  }

  close(): void {
    this.#transport.close()
  }
}
