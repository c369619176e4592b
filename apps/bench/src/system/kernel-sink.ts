import { CountingXdp } from '@vring/backend-tap/linux'
import { attachXdp, type XdpAttachment, type XdpMode } from '@vring/linux'
import { XDP_DROP } from '@vring/xdp'

/**
 * The end that frames are counted at. It is an XDP program in the kernel that counts each frame and drops it. So what
 * is measured ends at the device and not in a network stack that looks for a receiver.
 */
export class KernelSink {
  readonly #program = new CountingXdp(XDP_DROP)
  readonly #attachment: XdpAttachment

  /**
   * @param ifindex whose frames: those written into a TAP, or those that a veth receives
   * @throws VringError ERR_SYSTEM: EBUSY (it has a program), EPERM
   */
  constructor(ifindex: number) {
    try {
      this.#attachment = attachXdp(this.#program.program, ifindex)
    } catch (error) {
      this.#program.close()
      throw error
    }
  }

  /** Where the program runs: in the driver, or in the stack. */
  get mode(): XdpMode {
    return this.#attachment.mode
  }

  /** Frames that arrived since it was attached. */
  get arrived(): number {
    return this.#program.frames
  }

  close(): void {
    this.#attachment.detach()
    this.#program.close()
  }
}
