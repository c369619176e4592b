import { featureSet, hasFeature, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { PROTOCOL_F_MQ } from '@vring/vhost-user'
import { Bench, type Offer } from './bench.ts'
import { CaseFailure } from './case.ts'
import { postReceiveBuffers, transmitFrame } from './device/net-work.ts'
import type { DeviceProfile } from './device/profile.ts'
import { PROTOCOL_FEATURES_BIT } from './driver/session.ts'
import { missingError } from './judge-error.ts'
import type { Target } from './target.ts'
import { u64 } from './wire/payloads.ts'

/**
 * Looks what the back-end offers, before any case.
 *
 * @throws JudgeError with exit code 4 when it answers nothing
 */
export function probe(target: Target, device: DeviceProfile | null): Offer {
  const connection = target.connect()
  try {
    const features = connection.askU64('GET_FEATURES')
    const has = (features & PROTOCOL_FEATURES_BIT) !== 0n
    const protocol = has ? connection.askU64('GET_PROTOCOL_FEATURES') : 0n
    if (has) connection.send('SET_PROTOCOL_FEATURES', u64(protocol & featureSet(PROTOCOL_F_MQ)))
    const count = hasFeature(protocol, PROTOCOL_F_MQ) ? Number(connection.askU64('GET_QUEUE_NUM')) : 1
    // virtio-net counts pairs here, every other device queues.
    const queues = device?.name === 'net' ? 2 * count : count
    const offer = { features, protocol, queues, echo: false }
    connection.close()
    return {
      ...offer,
      echo: device?.name === 'net' && hasFeature(features, VIRTIO_F_VERSION_1) && echoes(target, offer, device),
    }
  } catch (error) {
    if (error instanceof CaseFailure) throw missingError(`${target.socket}: ${error.message}`)
    throw error
  } finally {
    connection.close()
  }
}

/** Does a frame come back? */
function echoes(target: Target, offer: Offer, device: DeviceProfile): boolean {
  const bench = new Bench(target, offer, device)
  try {
    const session = bench.open()
    const transmit = session.startDevice()
    const receive = session.queues.get(0)!
    postReceiveBuffers(receive, 4)
    transmitFrame(session, transmit)
    receive.used(1, 500)
    return true
  } catch (error) {
    if (error instanceof CaseFailure) return false
    throw error
  } finally {
    bench.close()
  }
}
