import {
  checkPackedQueueSize,
  checkQueueSize,
  refused,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_RING_PACKED,
} from '@vring/layout'
import { GUEST_SLOTS_MAX } from '@vring/memory'
import type { ReplyPayload, RequestName, RequestPayload } from './messages.ts'
import { IOTLB_INVALIDATE, IOTLB_UPDATE, u64 } from './payload.ts'
import type { RingEvent } from './session-host.ts'
import type { SessionState } from './session-state.ts'

/**
 * What each request does, by name. A handler takes out of `fds` the descriptors that it keeps; it throws a `VringError` to
 * refuse, and has changed nothing then.
 */
export type SessionHandlers = {
  [Name in RequestName]: (payload: RequestPayload<Name>, fds: number[]) => ReplyPayload<Name>
}

/** The handlers of one session. */
export function sessionHandlers(state: SessionState): SessionHandlers {
  const { device, host, negotiation, memory, iotlb, rings, log } = state

  /** Regions change: rings that lost theirs have stopped, those that waited for theirs start. */
  const changeMemory = (change: () => void): null => {
    change()
    rings.startWaiting()
    return null
  }

  /** The descriptor of SET_VRING_KICK, CALL or ERR; null when bit 8 says that there is none. */
  const ringEvent = (hasFd: boolean, fds: number[]): RingEvent | null => {
    if (fds.length !== (hasFd ? 1 : 0))
      throw refused('ERR_PROTOCOL', 'descriptors', fds.length, hasFd ? '1, as bit 8 is clear' : '0, as bit 8 is set')
    if (!hasFd) return null
    const event = host.ringEvent(fds[0]!)
    fds.shift()
    return event
  }

  return {
    GET_FEATURES: () => negotiation.offeredFeatures,
    SET_FEATURES: (features) => {
      negotiation.setFeatures(features, rings.active.length > 0)
      log.update()
      // Without protocol features there is no SET_VRING_ENABLE: rings begin enabled.
      if (!negotiation.has(VHOST_USER_F_PROTOCOL_FEATURES)) for (const vring of rings.vrings) rings.enable(vring, true)
      rings.startWaiting()
      return null
    },
    SET_OWNER: () => null,
    RESET_OWNER: () => {
      for (const vring of rings.vrings) rings.enable(vring, false)
      state.forget()
      return null
    },
    SET_MEM_TABLE: (regions, fds) => changeMemory(() => memory.replace(regions, fds)),
    SET_LOG_BASE: ({ size, offset }, fds) => {
      log.replace(fds[0]!, offset, size)
      return null
    },
    // A signal for each logged write: frontends read the log in rounds and don't wait for it. The descriptor is closed.
    SET_LOG_FD: () => null,
    SET_VRING_NUM: ({ index, num }) => {
      const vring = rings.stoppedAt(index, 'SET_VRING_NUM')
      if (negotiation.has(VIRTIO_F_RING_PACKED)) checkPackedQueueSize(num, 'queue size')
      else checkQueueSize(num, 'queue size')
      const most = device.queueSizeMax ?? 32768
      if (num > most) throw refused('ERR_OUT_OF_RANGE', 'queue size', num, `at most ${most}`)
      vring.size = num
      rings.startWaiting()
      return null
    },
    SET_VRING_ADDR: (address) => {
      rings.move(rings.at(address.index), address)
      return null
    },
    SET_VRING_BASE: ({ index, num }) => {
      // Of a split ring the used index is read from the ring; of a packed one both positions are told.
      if (num > 0xffff && !negotiation.has(VIRTIO_F_RING_PACKED))
        throw refused('ERR_OUT_OF_RANGE', 'avail index', num, '0 to 65535')
      rings.stoppedAt(index, 'SET_VRING_BASE').base = num
      return null
    },
    GET_VRING_BASE: ({ index }) => {
      const vring = rings.at(index)
      rings.stopForGood(vring)
      return { index, num: vring.base }
    },
    SET_VRING_KICK: ({ index, hasFd }, fds) => {
      const vring = rings.at(index)
      rings.kick(vring, ringEvent(hasFd, fds))
      return null
    },
    SET_VRING_CALL: ({ index, hasFd }, fds) => {
      const vring = rings.at(index)
      vring.setCall(ringEvent(hasFd, fds))
      // Buffers may have been used while there was no descriptor to tell it by.
      if (vring.running) vring.call?.signal()
      return null
    },
    SET_VRING_ERR: ({ index, hasFd }, fds) => {
      rings.at(index).setError(ringEvent(hasFd, fds))
      return null
    },
    GET_PROTOCOL_FEATURES: () => negotiation.offeredProtocolFeatures,
    SET_PROTOCOL_FEATURES: (features) => {
      negotiation.setProtocolFeatures(features)
      return null
    },
    GET_QUEUE_NUM: () => BigInt(device.queueNum),
    SET_VRING_ENABLE: ({ index, num }) => {
      if (num > 1) throw refused('ERR_OUT_OF_RANGE', 'enable', num, '0 or 1')
      // QEMU enables the first queue pair when it connects, long before its driver acknowledges features.
      if (negotiation.settled && !negotiation.has(VHOST_USER_F_PROTOCOL_FEATURES))
        throw refused('ERR_PROTOCOL', 'SET_VRING_ENABLE', 'sent', 'VHOST_USER_F_PROTOCOL_FEATURES acknowledged first')
      rings.enable(rings.at(index), num === 1)
      return null
    },
    SEND_RARP: (mac) => {
      device.sendRarp?.(u64.encode(mac).subarray(0, 6))
      return null
    },
    NET_SET_MTU: (mtu) => {
      if (mtu < 68n || mtu > 65535n) throw refused('ERR_OUT_OF_RANGE', 'mtu', mtu, '68 to 65535')
      device.setMtu?.(Number(mtu))
      return null
    },
    SET_BACKEND_REQ_FD: (_, fds) => {
      const transport = host.transport(fds[0]!)
      fds.shift()
      state.setChannel(transport)
      return null
    },
    IOTLB_MSG: ({ type, iova, size, userAddress, permission }) => {
      if (!negotiation.has(VIRTIO_F_ACCESS_PLATFORM))
        throw refused('ERR_PROTOCOL', 'IOTLB_MSG', 'sent', 'VIRTIO_F_ACCESS_PLATFORM acknowledged first')
      if (type === IOTLB_UPDATE) iotlb.update(iova, size, userAddress, permission)
      else if (type === IOTLB_INVALIDATE) iotlb.invalidate(iova, size)
      else throw refused('ERR_PROTOCOL', 'IOTLB type', type, `${IOTLB_UPDATE} or ${IOTLB_INVALIDATE}`)
      return null
    },
    RESET_DEVICE: () => {
      state.reset()
      return null
    },
    GET_MAX_MEM_SLOTS: () => BigInt(GUEST_SLOTS_MAX),
    ADD_MEM_REG: (region, fds) => changeMemory(() => memory.add(region, fds[0]!)),
    REM_MEM_REG: (region) => changeMemory(() => memory.remove(region)),
    SET_STATUS: (status) => {
      if (status > 0xffn) throw refused('ERR_OUT_OF_RANGE', 'status', status, '0 to 255')
      state.status = Number(status)
      device.setStatus?.(state.status)
      if (state.status === 0) {
        for (const vring of rings.vrings) rings.stopForGood(vring)
        state.forget()
      }
      return null
    },
    GET_STATUS: () => BigInt(state.status),
  }
}
