import { VringError } from '@vring/layout'
import type { DeviceLink, StartedVring } from '../src/device/device.ts'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_DEVICE_STATE,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_REPLY_ACK,
} from '../src/messages/protocol-features.ts'
import { RecyclingDevice } from './recycling-device.ts'
import { SessionPair } from './session-pair.ts'

/** Protocol features of {@link full}. */
export const ALL = [
  PROTOCOL_F_MQ,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_DEVICE_STATE,
]

/** A device with everything that is optional. */
export class FullDevice extends RecyclingDevice {
  readonly space = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  readonly configBytes = 8
  readonly tracksInflight = true
  link: DeviceLink | null = null
  vring: StartedVring | null = null
  drained = true
  state = Uint8Array.of(9, 8, 7)

  readConfig(offset: number, into: Uint8Array): void {
    into.set(this.space.subarray(offset, offset + into.length))
  }

  writeConfig(offset: number, bytes: Uint8Array, migration: boolean): void {
    if (offset < 4) throw new VringError('ERR_UNSUPPORTED', 'the first four bytes are read-only')
    this.space.set(bytes, offset)
    this.calls.push(`write ${bytes.length} at ${offset}${migration ? ', migration' : ''}`)
  }

  connected(link: DeviceLink): void {
    this.link = link
  }

  override startQueue(vring: StartedVring): void {
    this.vring = vring
    super.startQueue(vring)
  }

  drainQueue(): boolean {
    return this.drained
  }

  saveState(): Uint8Array {
    return this.state
  }

  loadState(state: Uint8Array): void {
    if (state.length > 3) throw new VringError('ERR_PROTOCOL', 'a state of another device')
    this.state = Uint8Array.from(state)
  }
}

/** A session in which everything is negotiated. */
export function full(): SessionPair & { readonly device: FullDevice } {
  return new SessionPair(new FullDevice()).negotiate(ALL) as SessionPair & { readonly device: FullDevice }
}
