import { SOCK_CLOEXEC } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes } from '../libc.ts'
import { nativeAddress } from '../native-address.ts'
import { checkInterfaceName, IFNAMSIZ } from './interface-name.ts'

const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCETHTOOL = 0x8946
/** struct ifreq with a pointer in its union. */
const IFREQ = { size: 40, ifr_data: IFNAMSIZ } as const
/** struct ethtool_value: command, data. */
const VALUE_BYTES = 8

/** Commands of `<linux/ethtool.h>` that read and set an offload: a switch of its own, or one bit of the flags. */
const COMMANDS = {
  tx: { get: 0x16, set: 0x17, bit: null },
  tso: { get: 0x1e, set: 0x1f, bit: null },
  gso: { get: 0x23, set: 0x24, bit: null },
  gro: { get: 0x2b, set: 0x2c, bit: null },
  txvlan: { get: 0x25, set: 0x26, bit: 1 << 7 },
  rxvlan: { get: 0x25, set: 0x26, bit: 1 << 8 },
  lro: { get: 0x25, set: 0x26, bit: 1 << 15 },
} as const

/** An offload by its name to `ethtool -K`. */
export type LinkOffload = keyof typeof COMMANDS

/**
 * Is an offload of an interface on? Of this thread's network namespace.
 *
 * @throws VringError ERR_OUT_OF_RANGE for a name; ERR_SYSTEM: ENODEV, EOPNOTSUPP
 */
export function linkOffload(name: string, offload: LinkOffload): boolean {
  const { get, bit } = COMMANDS[offload]
  const data = ethtoolValue(name, get, 0, offload)
  return bit === null ? data !== 0 : (data & bit) !== 0
}

/**
 * Switches an offload, as `ethtool -K` does.
 *
 * @throws VringError ERR_SYSTEM: EPERM, EOPNOTSUPP (it can't be switched)
 */
export function setLinkOffload(name: string, offload: LinkOffload, on: boolean): void {
  const { get, set, bit } = COMMANDS[offload]
  if (bit === null) ethtoolValue(name, set, on ? 1 : 0, offload)
  else {
    const flags = ethtoolValue(name, get, 0, offload)
    ethtoolValue(name, set, on ? flags | bit : flags & ~bit, offload)
  }
}

function ethtoolValue(name: string, command: number, data: number, what: string): number {
  checkInterfaceName(name)
  const value = fixedBytes(VALUE_BYTES)
  const words = new Uint32Array(value.buffer)
  words[0] = command
  words[1] = data
  const request = fixedBytes(IFREQ.size)
  new TextEncoder().encodeInto(name, request)
  new DataView(request.buffer).setBigUint64(IFREQ.ifr_data, BigInt(nativeAddress(value.buffer as ArrayBuffer)), true)
  const fd = checked('socket', (c) => c.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))
  try {
    checked('ioctl', (c) => c.ioctl(fd, SIOCETHTOOL, request), `SIOCETHTOOL ${what} of ${name}`)
    return words[1]
  } finally {
    closeFd(fd)
  }
}
