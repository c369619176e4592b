import {
  checkPackedQueueSize,
  checkQueueSize,
  refused,
  VHOST_USER_F_PROTOCOL_FEATURES,
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_RING_PACKED,
  VringError,
} from '@vring/layout'
import { GUEST_SLOTS_MAX } from '@vring/memory'
import type { RingEvent, RingEventUse } from '../host/session-host.ts'
import type { ReplyPayload, RequestName, RequestPayload } from '../messages/messages.ts'
import { CONFIG_FLAG_MIGRATION, IOTLB_INVALIDATE, IOTLB_UPDATE, u64 } from '../messages/payload.ts'
import type { SessionState } from './session-state.ts'

/** Thrown by a handler whose request has to wait, for what is in flight or on its way: it is asked again later. */
export const HELD: unique symbol = Symbol('held')

/**
 * What each request does, by name. A handler takes out of `fds` the descriptors that it keeps. It puts into `answerFds`
 * those that go with the answer, which are closed then. To refuse it throws a `VringError`, and has changed nothing
 * then.
 */
export type SessionHandlers = {
  [Name in RequestName]: (payload: RequestPayload<Name>, fds: number[], answerFds: number[]) => ReplyPayload<Name>
}

/** Bit 8 of the answer to SET_DEVICE_STATE_FD: no descriptor comes with it, the frontend's is used. */
const STATE_NO_FD = 0x100n

/** The handlers of one session. */
export function sessionHandlers(state: SessionState): SessionHandlers {
  const { device, host, negotiation, memory, iotlb, rings, log, inflight, transfer } = state

  const { configBytes = 0 } = device

  /** Regions change: rings that lost theirs have stopped, those that waited for theirs start. */
  const changeMemory = (change: () => void): null => {
    change()
    rings.startWaiting()
    return null
  }

  /**
   * A socket that came says that nothing is read from it. Where that stops this connection, it is the frontend's own
   * end of it. Held here, it would keep the frontend from ever being seen to hang up.
   */
  const checkOpen = (taken: { close(): void }): void => {
    if (state.isOpen()) return
    taken.close()
    throw new VringError('ERR_CLOSED', 'a descriptor that came is the other end of this connection', { field: 'fds' })
  }

  /** The descriptor of SET_VRING_KICK, CALL or ERR; null when bit 8 says that there is none. */
  const ringEvent = (hasFd: boolean, fds: number[], use: RingEventUse): RingEvent | null => {
    if (fds.length !== (hasFd ? 1 : 0))
      throw refused('ERR_PROTOCOL', 'descriptors', fds.length, hasFd ? '1, as bit 8 is clear' : '0, as bit 8 is set')
    if (!hasFd) return null
    const event = host.ringEvent(fds[0]!, use)
    fds.shift()
    checkOpen(event)
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
      // 16 bits of a split ring: the used index is read from the ring.
      if (num > 0xffff && !rings.packed) throw refused('ERR_OUT_OF_RANGE', 'base', num, '0 to 65535')
      rings.stoppedAt(index, 'SET_VRING_BASE').base = num
      return null
    },
    GET_VRING_BASE: ({ index }) => {
      const vring = rings.at(index)
      if (!rings.drained(vring)) throw HELD
      rings.stopForGood(vring)
      return { index, num: vring.base }
    },
    SET_VRING_KICK: ({ index, hasFd }, fds) => {
      const vring = rings.at(index)
      rings.kick(vring, ringEvent(hasFd, fds, 'kick'))
      return null
    },
    SET_VRING_CALL: ({ index, hasFd }, fds) => {
      const vring = rings.at(index)
      vring.setCall(ringEvent(hasFd, fds, 'signal'))
      // Buffers may have been used while there was no descriptor to tell it by.
      if (vring.running) vring.call?.signal()
      return null
    },
    SET_VRING_ERR: ({ index, hasFd }, fds) => {
      rings.at(index).setError(ringEvent(hasFd, fds, 'signal'))
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
      // Nothing is asked that is answered there.
      try {
        transport.stopReceiving?.()
      } catch (error) {
        transport.close()
        throw error
      }
      checkOpen(transport)
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
    GET_CONFIG: ({ offset, bytes }) => {
      // The answer says that it can't be read by having no bytes: there is no status beside it.
      if (bytes.length === 0 || offset > configBytes - bytes.length) return null
      device.readConfig!(offset, bytes)
      return { offset, flags: 0, bytes }
    },
    SET_CONFIG: ({ offset, bytes, flags }) => {
      if (flags > CONFIG_FLAG_MIGRATION) throw refused('ERR_PROTOCOL', 'SET_CONFIG flags', flags, '0 or 1')
      if (bytes.length === 0 || offset > configBytes - bytes.length)
        throw refused(
          'ERR_OUT_OF_RANGE',
          'SET_CONFIG',
          `${bytes.length} bytes at ${offset}`,
          `inside ${configBytes} bytes`,
        )
      if (device.writeConfig === undefined)
        throw refused('ERR_UNSUPPORTED', 'SET_CONFIG', 'sent', 'reads: no field of this device can be written')
      device.writeConfig(offset, bytes, flags === CONFIG_FLAG_MIGRATION)
      return null
    },
    GET_INFLIGHT_FD: (asked, _, answerFds) => {
      const { payload, fd } = inflight.create(asked, rings.active.length)
      answerFds.push(fd)
      return payload
    },
    SET_INFLIGHT_FD: (given, fds) => {
      inflight.replace(fds[0]!, given, rings.active.length)
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
    SET_DEVICE_STATE_FD: (asked, fds) => {
      try {
        transfer.begin(fds[0]!, asked, rings.active.length)
        fds.shift()
        return STATE_NO_FD
      } catch (error) {
        state.refused(error)
        return STATE_NO_FD | 1n
      }
    },
    CHECK_DEVICE_STATE: () => {
      if (transfer.active) throw HELD
      try {
        transfer.check()
        return 0n
      } catch (error) {
        state.refused(error)
        return 1n
      }
    },
  }
}
