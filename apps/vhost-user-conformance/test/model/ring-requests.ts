import { closeFd, EventFd, isEventFd } from '@vring/linux'
import type { Request } from '../../src/wire/requests.ts'
import type { ModelRing } from './ring.ts'
import type { ModelSession } from './session.ts'

type Answer = Uint8Array | 'done' | 'refused'

/** The requests about one ring. */
export function ringRequest(session: ModelSession, name: Request, view: DataView, fds: number[]): Answer {
  if (view.byteLength < 8) return 'refused'
  if (!session.hasFeatures) session.anomaly()
  const state = !/KICK|CALL|ERR$/.test(name)
  const index = state ? view.getUint32(0, true) : view.getUint32(0, true) & 0xff
  const num = view.getUint32(4, true)
  const ring = session.rings[index]
  if (ring === undefined) return 'refused'
  switch (name) {
    case 'SET_VRING_NUM':
      if (num === 0 || num > 32_768 || (!session.packed && (num & (num - 1)) !== 0)) return 'refused'
      if (session.fault('fixed-size') && num > 256) return 'refused'
      if (ring.ready) return 'refused'
      if (session.fault('powers-only') && (num & (num - 1)) !== 0) return 'refused'
      ring.size = num
      return 'done'
    case 'SET_VRING_BASE':
      ring.avail = session.packed ? num & 0x7fff : num
      ring.availWrap = (num & 0x8000) !== 0
      ring.usedWrap = num >>> 31 === 1
      ring.used = (num >>> 16) & 0x7fff
      if (session.fault('ignores-base')) ring.avail = 0
      return 'done'
    case 'GET_VRING_BASE': {
      const base = session.packed
        ? ring.avail | (ring.availWrap ? 0x8000 : 0) | ((ring.used | (ring.usedWrap ? 0x8000 : 0)) << 16)
        : ring.avail
      if (!session.fault('never-stops')) ring.stop()
      if (session.fault('stop-stops-all')) for (const one of session.rings) one.stop()
      if (session.fault('base-zero-when-stopped')) ring.avail = 0
      const answer = new Uint8Array(8)
      new DataView(answer.buffer).setUint32(0, index, true)
      new DataView(answer.buffer).setUint32(4, (session.fault('wrong-base') ? base + 1 : base) >>> 0, true)
      return answer
    }
    case 'SET_VRING_ADDR':
      return setAddress(session, ring, view)
    case 'SET_VRING_ENABLE':
      if (num > 1) return 'refused'
      if (!(session.fault('enables-once') && ring.enabled) && !(session.fault('tracks-no-enable') && !ring.started))
        ring.enabled = num === 1
      if (session.fault('enables-all')) for (const one of session.rings) one.enabled = num === 1
      return 'done'
    case 'SET_VRING_KICK':
    case 'SET_VRING_CALL':
    case 'SET_VRING_ERR':
      return setFd(session, name, ring, view.getBigUint64(0, true), fds)
    default:
      return 'refused'
  }
}

function setAddress(session: ModelSession, ring: ModelRing, view: DataView): Answer {
  const flags = view.getUint32(4, true)
  const [desc, used, avail, log] = [8, 16, 24, 32].map((at) => view.getBigUint64(at, true)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  if (desc % 16n !== 0n || used % 4n !== 0n || avail % 2n !== 0n) return 'refused'
  if (session.fault('size-first') && ring.size === 0) return 'refused'
  if (session.fault('memory-first') && session.memory.regions.length === 0) return 'refused'
  if (!session.isIova)
    for (const at of [desc, used, avail])
      if (session.memory.regions.length > 0 && session.memory.resolve(at, 4, 'user') === null) return 'refused'
  const moved = ring.address === null || ring.address.used !== used
  ring.address = { desc, used, avail, flags, log: Number(log) }
  // The used index is in memory; while it runs the ring knows it.
  if (!session.packed && !session.isIova && (moved || !ring.started)) {
    const [piece] = session.memory.resolve(used, 4, 'user') ?? []
    if (piece !== undefined) ring.used = piece.view.getUint16(piece.at + 2, true)
  }
  return 'done'
}

function setFd(session: ModelSession, name: Request, ring: ModelRing, word: bigint, fds: number[]): Answer {
  const without = (word & 0x100n) !== 0n
  if (fds.length !== (without ? 0 : 1)) return 'refused'
  if (!without && !isEventFd(fds[0]!) && name !== 'SET_VRING_ERR') return 'refused'
  if (name === 'SET_VRING_ERR' && !without && !isEventFd(fds[0]!)) {
    ring.plainErrorFd = fds.shift()!
    return 'done'
  }
  const event = without ? null : new EventFd(fds.shift()!)
  if (name === 'SET_VRING_CALL') {
    if (session.fault('first-call') && ring.call !== null) event?.close()
    else {
      ring.call?.close()
      ring.call = event
    }
  } else if (name === 'SET_VRING_ERR') {
    if (!session.fault('keeps-descriptors')) closeFd(ring.plainErrorFd)
    ring.plainErrorFd = -1
    ring.error?.close()
    ring.error = event
  } else {
    if (session.fault('complete-kick') && (ring.size === 0 || ring.address === null)) return 'refused'
    if (session.fault('first-kick') && ring.kick !== null) {
      event?.close()
      return 'done'
    }
    ring.kick?.close()
    ring.kick = event
    ring.polled = without
    if (!ring.started) ring.resubmit = session.tracking?.pending(ring) ?? []
    ring.started = !(session.fault('starts-once') && session.everStarted.has(ring.index))
    session.everStarted.add(ring.index)
    if (session.fault('drains-early-kicks')) event?.drain()
  }
  return 'done'
}
