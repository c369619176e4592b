import { DESC_BYTES } from '@vring/layout'
import { LAP_PACKETS, LapDriver, type LapDriverOptions } from './lap-driver.ts'

/** Where recorded frames lie, for a {@link ReplayDriver}: plain data, so that it crosses to a thread. */
export interface Replay {
  /** Byte offset of the descriptor table in the driver's view. */
  readonly desc: number
  /** Low halves of the buffers' addresses, one for each frame in order. */
  readonly addresses: Uint32Array
  /** Bytes of each, with its virtio-net header. */
  readonly lengths: Uint32Array
}

const DESC_WORDS = DESC_BYTES / 4
const LENGTH_WORD = 2

/**
 * A driver that sends recorded frames in their order, each from its own buffer: it writes address and length of a descriptor
 * before it makes that available, as a driver does that gets frames from elsewhere. A lap begins with the first frame, so
 * that all laps are the same.
 */
export class ReplayDriver extends LapDriver {
  private readonly words: Uint32Array
  private readonly desc: number
  private readonly addresses: Uint32Array
  private readonly lengths: Uint32Array
  private readonly headMask: number
  /** Packets of this lap, and the frame that comes next. */
  private packet = 0
  private frame = 0

  /** Chains are one descriptor each. */
  constructor(options: LapDriverOptions, replay: Replay) {
    super(options)
    this.words = options.view.u32
    this.desc = replay.desc >>> 2
    this.addresses = replay.addresses
    this.lengths = replay.lengths
    this.headMask = options.chains - 1
  }

  override publish(count: number): void {
    const { words, desc, addresses, lengths, headMask } = this
    let { packet, frame } = this
    for (let i = 0; i < count; i++) {
      // Descriptors are free: those of a batch came back before the next one is published.
      const at = desc + DESC_WORDS * (packet & headMask)
      words[at] = addresses[frame]!
      words[at + LENGTH_WORD] = lengths[frame]!
      packet++
      frame++
      if (frame === addresses.length) frame = 0
      if (packet === LAP_PACKETS) packet = frame = 0
    }
    this.packet = packet
    this.frame = frame
    super.publish(count)
  }
}

/** The driver of a cell: of frames that are always in the same buffers, or of recorded ones. */
export function createLapDriver(options: LapDriverOptions, replay: Replay | null): LapDriver {
  return replay === null ? new LapDriver(options) : new ReplayDriver(options, replay)
}
