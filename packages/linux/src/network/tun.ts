import { openSync } from 'node:fs'
import { refused, VringError } from '@vring/layout'
import { closeFd, setNonBlocking } from '../descriptors/fd.ts'
import { checked, fixedBytes, libc } from '../libc.ts'
import { systemErrnoName, systemErrnoOf, systemError } from '../system-error.ts'
import { checkInterfaceName } from './interface-name.ts'
import { tunFacts } from './tun-facts.ts'

/** struct ifreq: name, then a union of which tun reads 16 bits of flags. */
const IFREQ = { size: 40, ifr_flags: 16 } as const

const TUNSETIFF = 0x4004_54ca
const TUNSETPERSIST = 0x4004_54cb
const TUNSETOFFLOAD = 0x4004_54d0
const TUNSETVNETHDRSZ = 0x4004_54d8
const TUNSETQUEUE = 0x4004_54d9
const TUNSETCARRIER = 0x4004_54e2

const IFF_TAP = 0x0002
const IFF_NAPI = 0x0010
const IFF_MULTI_QUEUE = 0x0100
const IFF_ATTACH_QUEUE = 0x0200
const IFF_DETACH_QUEUE = 0x0400
const IFF_NO_PI = 0x1000
const IFF_VNET_HDR = 0x4000

/** Offloads that the reader of a TAP accepts (TUN_F_*): what the kernel may then leave undone in frames. */
export const TUN_F_CSUM = 0x01
export const TUN_F_TSO4 = 0x02
export const TUN_F_TSO6 = 0x04
export const TUN_F_TSO_ECN = 0x08
/** Linux 6.2. */
export const TUN_F_USO4 = 0x20
/** Linux 6.2. */
export const TUN_F_USO6 = 0x40

export interface TunQueueOptions {
  /** Interface to make, or to open another queue of; 1 to 15 bytes. Default: the kernel chooses `tapN`. */
  readonly name?: string
  /** One of several queues. All queues of an interface must say the same. Default false. */
  readonly multiQueue?: boolean
  /** Hands frames to the stack through NAPI: GRO, at the price of XDP's fast path. Default false. */
  readonly napi?: boolean
  /** Bytes of the virtio-net header before each frame: 10 or 12. Default 12. */
  readonly headerBytes?: number
}

/** A queue of a TAP interface: a non-blocking descriptor; a read or write of it is one header and its frame. */
export interface TunQueue {
  readonly fd: number
  /** Name of the interface, as the kernel gave it. */
  readonly name: string
}

/**
 * Opens a queue of a TAP (IFF_TAP, IFF_NO_PI, IFF_VNET_HDR). An interface that this makes goes away with its last queue,
 * unless {@link setTunPersistent}.
 *
 * The descriptor does not block: that and an unlimited send buffer are what tun's fast path for XDP asks for
 * (Linux drivers/net/tun.c, tun_can_build_skb).
 *
 * @throws VringError ERR_OUT_OF_RANGE for a name; ERR_SYSTEM: EBUSY (another process has it open), EINVAL (it exists and is
 * no such TAP), EPERM, ENOENT (no /dev/net/tun)
 */
export function openTunQueue(options: TunQueueOptions = {}): TunQueue {
  const { name = '', headerBytes = 12 } = options
  const request = fixedBytes(IFREQ.size)
  const flags =
    IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (options.multiQueue ? IFF_MULTI_QUEUE : 0) | (options.napi ? IFF_NAPI : 0)
  if (name !== '') checkInterfaceName(name)
  if (headerBytes !== 10 && headerBytes !== 12)
    throw refused('ERR_OUT_OF_RANGE', 'headerBytes', headerBytes, '10 or 12')
  new TextEncoder().encodeInto(name, request)
  new DataView(request.buffer).setUint16(IFREQ.ifr_flags, flags, true)
  const fd = openClone()
  try {
    if (libc().ioctl(fd, TUNSETIFF, request) < 0) throw explainSetIff(libc().errno(), name, flags)
    setTunHeaderBytes(fd, headerBytes)
    setNonBlocking(fd)
  } catch (error) {
    closeFd(fd)
    throw error
  }
  return { fd, name: new TextDecoder().decode(request.subarray(0, request.indexOf(0))) }
}

/**
 * What the reader of this interface accepts: a set of TUN_F_*.
 *
 * @throws VringError ERR_SYSTEM, EINVAL for a set that this kernel does not know
 */
export function setTunOffload(fd: number, offloads: number): void {
  checked('ioctl', (c) => c.ioctl(fd, TUNSETOFFLOAD, BigInt(offloads)), `TUNSETOFFLOAD 0x${offloads.toString(16)}`)
}

/**
 * May UDP segments cross this interface, in both directions? Linux 6.2 and newer; asking leaves the set of offloads empty.
 *
 * @throws VringError ERR_SYSTEM
 */
export function tunTakesUdpSegments(fd: number): boolean {
  try {
    setTunOffload(fd, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)
  } catch (error) {
    if (systemErrnoOf(error) === 'EINVAL') return false
    throw error
  }
  setTunOffload(fd, 0)
  return true
}

/**
 * Sets the bytes of the virtio-net header before each frame, for all queues of the interface.
 *
 * @param headerBytes 10 or 12
 * @throws VringError ERR_OUT_OF_RANGE; ERR_SYSTEM, EBADFD when the interface is gone
 */
export function setTunHeaderBytes(fd: number, headerBytes: number): void {
  if (headerBytes !== 10 && headerBytes !== 12)
    throw refused('ERR_OUT_OF_RANGE', 'headerBytes', headerBytes, '10 or 12')
  setInteger(fd, TUNSETVNETHDRSZ, 'TUNSETVNETHDRSZ', headerBytes)
}

/**
 * Keeps the interface when its last queue is closed, or no longer.
 *
 * @throws VringError ERR_SYSTEM
 */
export function setTunPersistent(fd: number, persistent: boolean): void {
  checked('ioctl', (c) => c.ioctl(fd, TUNSETPERSIST, persistent ? 1n : null), 'TUNSETPERSIST')
}

/**
 * Takes a queue of a multi-queue interface out of use or back into it, without closing it. A detached queue gets no
 * frames; it can still send.
 *
 * @throws VringError ERR_SYSTEM
 */
export function setTunQueueAttached(fd: number, attached: boolean): void {
  const request = fixedBytes(IFREQ.size)
  new DataView(request.buffer).setUint16(IFREQ.ifr_flags, attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE, true)
  checked('ioctl', (c) => c.ioctl(fd, TUNSETQUEUE, request), attached ? 'IFF_ATTACH_QUEUE' : 'IFF_DETACH_QUEUE')
}

/**
 * Says whether the interface has a carrier: without one the stack sends nothing into it. All queues
 * share it; Linux 5.0.
 *
 * @throws VringError ERR_SYSTEM, EBADFD when the interface is gone
 */
export function setTunCarrier(fd: number, carrier: boolean): void {
  setInteger(fd, TUNSETCARRIER, 'TUNSETCARRIER', carrier ? 1 : 0)
}

function setInteger(fd: number, request: number, what: string, value: number): void {
  const integer = fixedBytes(4)
  new DataView(integer.buffer).setInt32(0, value, true)
  checked('ioctl', (c) => c.ioctl(fd, request, integer), `${what} ${value}`)
}

function openClone(): number {
  try {
    return openSync('/dev/net/tun', 'r+')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'EIO'
    throw new VringError('ERR_SYSTEM', `open: ${code} (/dev/net/tun)`, { field: 'open', value: code, cause })
  }
}

function explainSetIff(errno: number, name: string, flags: number): VringError {
  const reason = setIffReason(systemErrnoName(errno), name, (flags & IFF_MULTI_QUEUE) !== 0)
  return systemError('TUNSETIFF', errno, `${name || 'a new TAP'}${reason === null ? '' : `: ${reason}`}`)
}

/** What an interface of this name has that keeps it from being opened. Source: Linux drivers/net/tun.c, tun_set_iff. */
function setIffReason(errno: string, name: string, multiQueue: boolean): string | null {
  const own = tunFacts(name)
  switch (errno) {
    case 'EBUSY':
      return own?.multiQueue === false
        ? 'another process has it open'
        : 'another process has it open, or it has one queue only'
    case 'EINVAL':
      if (own === null) return 'an interface of that name is no TAP'
      if (!own.tap) return 'it was made as a TUN, without Ethernet headers'
      return own.multiQueue === multiQueue
        ? null
        : `it was made ${own.multiQueue ? 'with' : 'without'} IFF_MULTI_QUEUE (multi_queue), and ${multiQueue ? 'several queues need' : 'one queue goes without'} it`
    case 'EPERM': {
      if (own === null) return 'making an interface needs CAP_NET_ADMIN; one that was prepared for this user does not'
      const whose = [
        ...(own.owner === null ? [] : [`user ${own.owner}`]),
        ...(own.group === null ? [] : [`group ${own.group}`]),
      ].join(', ')
      return `it was prepared for ${whose === '' ? 'no user' : whose}, and this process is user ${process.getuid?.()}, group ${process.getgid?.()}`
    }
    default:
      return null
  }
}
