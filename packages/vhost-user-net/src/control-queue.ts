import { WORK_PER_LOOK, work } from '@vring/memory'
import type { RequestQueue } from '@vring/vhost-user'

/** Commands of the control queue that a device with several pairs serves. Source: VirtIO 1.3 section 5.1.6.5.6. */
export const VIRTIO_NET_CTRL_MQ = 4
export const VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET = 0

/** The answer, the byte after a command. Source: VirtIO 1.3 section 5.1.6.5. */
export const VIRTIO_NET_OK = 0
export const VIRTIO_NET_ERR = 1

/** Bytes of class, command and number of pairs. */
const COMMAND_BYTES = 4
/** Commands of one round. */
const COMMANDS_MAX = 16

/**
 * The control queue of a network device. QEMU and DPDK answer it themselves; virtio_uml leaves it to the device, whose
 * driver needs it to use more than one queue pair. Every command but that is answered with an error.
 */
export class ControlQueue {
  readonly queue: RequestQueue
  readonly #pairsMax: number
  readonly #onPairs: (pairs: number) => void
  readonly #command = new Uint8Array(COMMAND_BYTES)

  /** @param onPairs the driver uses the first so many pairs from now on, 1 to `pairsMax` */
  constructor(queue: RequestQueue, pairsMax: number, onPairs: (pairs: number) => void) {
    this.queue = queue
    this.#pairsMax = pairsMax
    this.#onPairs = onPairs
  }

  /** Answers the commands that are there, as far as a look's work goes; how many. */
  serve(): number {
    let done = 0
    while (done < COMMANDS_MAX && (done === 0 || !work.full)) {
      const [request] = this.queue.take(1)
      if (request === undefined) break
      const command = this.#command
      const whole = request.readBytes === COMMAND_BYTES && request.read(0, command) === 0
      const answer = Uint8Array.of(whole ? this.#answer(command) : VIRTIO_NET_ERR)
      this.queue.finish(request, request.writeBytes > 0 && request.write(0, answer) === 0 ? 1 : 0)
      done++
    }
    this.queue.flush()
    return done
  }

  #answer(command: Uint8Array): number {
    const pairs = command[2]! | (command[3]! << 8)
    if (command[0] !== VIRTIO_NET_CTRL_MQ || command[1] !== VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET) return VIRTIO_NET_ERR
    if (pairs < 1 || pairs > this.#pairsMax) return VIRTIO_NET_ERR
    // Queues of a device change, and other threads are told and waited for: that is a look's work by itself.
    work.charge(WORK_PER_LOOK)
    this.#onPairs(pairs)
    return VIRTIO_NET_OK
  }
}
