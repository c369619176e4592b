import { checked, fixedBytes } from '../libc.ts'

export const SOL_XDP = 283

/** @throws VringError ERR_SYSTEM */
export function getXdpOption(fd: number, option: number, bytes: number): Uint8Array {
  const value = fixedBytes(bytes)
  const length = fixedBytes(4)
  new DataView(length.buffer).setUint32(0, bytes, true)
  checked('getsockopt', (c) => c.getsockopt(fd, SOL_XDP, option, value, length), `SOL_XDP ${option}`)
  return value
}
