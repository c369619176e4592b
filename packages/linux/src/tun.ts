import { openSync } from 'node:fs'
import { refused, VringError } from '@vring/layout'
import { closeFd, setNonBlocking } from './fd.ts'
import { checked, fixedBytes, libc } from './libc.ts'
import { systemErrnoName, systemError } from './system-error.ts'

/** Bytes of an interface name with its terminating zero. Source: Linux include/uapi/linux/if.h. */
export const IFNAMSIZ = 16
/** struct ifreq: name, then a union of which tun reads 16 bits of flags. */
const IFREQ = { size: 40, ifr_flags: 16 } as const

const TUNSETIFF = 0x4004_54ca
const TUNSETPERSIST = 0x4004_54cb
const TUNSETOFFLOAD = 0x4004_54d0
const TUNSETVNETHDRSZ = 0x4004_54d8
const TUNSETQUEUE = 0x4004_54d9

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
  /** Bytes of the virtio-net header in front of each frame: 10 or 12. Default 12. */
  readonly headerBytes?: number
}

/** A queue of a TAP interface: a non-blocking descriptor; a read or write of it is one frame behind its header. */
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
 * @throws VringError ERR_OUT_OF_RANGE for a name; ERR_SYSTEM: EBUSY (somebody has it open), EINVAL (it exists and is no
 * such TAP), EPERM, ENOENT (no /dev/net/tun)
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
    if (libc().ioctl(fd, TUNSETIFF, request) < 0) throw explainSetIff(libc().errno(), name)
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
 * Sets the bytes of the virtio-net header in front of each frame, for all queues of the interface.
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

/** @throws VringError ERR_OUT_OF_RANGE for a name that no interface can have */
export function checkInterfaceName(name: string): void {
  if (!/^[^\s/:%]+$/.test(name) || name === '.' || name === '..' || new TextEncoder().encode(name).length >= IFNAMSIZ)
    throw refused('ERR_OUT_OF_RANGE', 'interface', name, `1 to ${IFNAMSIZ - 1} bytes without space, /, : and %`)
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

const SETIFF_REASONS: Readonly<Record<string, string>> = {
  EBUSY: 'another process has it open, or it has one queue only',
  EINVAL: 'an interface of that name is no TAP, or has other flags (IFF_MULTI_QUEUE, IFF_VNET_HDR)',
  EPERM: 'making an interface needs CAP_NET_ADMIN',
}

function explainSetIff(errno: number, name: string): VringError {
  const reason = SETIFF_REASONS[systemErrnoName(errno)]
  return systemError('TUNSETIFF', errno, `${name || 'a new TAP'}${reason === undefined ? '' : `: ${reason}`}`)
}
