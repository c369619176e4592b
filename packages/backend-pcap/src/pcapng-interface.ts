import { refused } from '@vring/layout'
import type { CaptureInterface } from './capture.ts'
import {
  OPTION_END,
  OPTION_IF_NAME,
  OPTION_IF_TSOFFSET,
  OPTION_IF_TSRESOL,
  padded,
  TSRESOL_DEFAULT,
} from './pcapng-format.ts'

/** A resolution finer than this is no clock. */
const RESOLUTION_EXPONENT_MAX = 63

/** An interface with what its timestamps mean. */
export interface PcapngInterface extends CaptureInterface {
  readonly snapLength: number
  /** Ticks in a second. */
  readonly resolution: bigint
  /** Seconds to add. */
  readonly offset: bigint
}

/**
 * Reads the body of an Interface Description Block of at least 8 bytes.
 *
 * @param position of the block, for messages
 * @throws VringError for options that do not fit, and for a resolution that is none
 */
export function readPcapngInterface(
  view: DataView,
  body: number,
  end: number,
  little: boolean,
  position: number,
): PcapngInterface {
  let name = ''
  let exponent = TSRESOL_DEFAULT
  let offset = 0n
  for (let option = body + 8; option + 4 <= end; ) {
    const code = view.getUint16(option, little)
    const length = view.getUint16(option + 2, little)
    if (code === OPTION_END) break
    if (length > end - option - 4)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `pcapng block at ${position}: option ${code} length`,
        length,
        `0 to ${end - option - 4}`,
      )
    const value = option + 4
    if (code === OPTION_IF_NAME)
      name = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + value, length))
    else if (code === OPTION_IF_TSRESOL && length >= 1) exponent = view.getUint8(value)
    else if (code === OPTION_IF_TSOFFSET && length >= 8) offset = view.getBigInt64(value, little)
    option = value + padded(length)
  }
  const power = exponent & 0x7f
  if (power > RESOLUTION_EXPONENT_MAX)
    throw refused(
      'ERR_INVALID_ARGUMENT',
      `pcapng block at ${position}: timestamp resolution`,
      exponent,
      'exponents up to 63',
    )
  return {
    name,
    linkType: view.getUint16(body, little),
    snapLength: view.getUint32(body + 4, little),
    resolution: ((exponent & 0x80) === 0 ? 10n : 2n) ** BigInt(power),
    offset,
  }
}
