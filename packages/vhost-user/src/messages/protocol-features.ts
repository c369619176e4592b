import { hasFeature } from '@vring/layout'

/**
 * Bit numbers of vhost-user's protocol features. Source: the vhost-user protocol specification, section "Protocol
 * features". The older names of BACKEND_REQ and BACKEND_SEND_FD speak of SLAVE.
 */
export const PROTOCOL_F_MQ = 0
export const PROTOCOL_F_LOG_SHMFD = 1
export const PROTOCOL_F_RARP = 2
export const PROTOCOL_F_REPLY_ACK = 3
export const PROTOCOL_F_NET_MTU = 4
export const PROTOCOL_F_BACKEND_REQ = 5
export const PROTOCOL_F_CROSS_ENDIAN = 6
export const PROTOCOL_F_CRYPTO_SESSION = 7
export const PROTOCOL_F_PAGEFAULT = 8
export const PROTOCOL_F_CONFIG = 9
export const PROTOCOL_F_BACKEND_SEND_FD = 10
export const PROTOCOL_F_HOST_NOTIFIER = 11
export const PROTOCOL_F_INFLIGHT_SHMFD = 12
export const PROTOCOL_F_RESET_DEVICE = 13
export const PROTOCOL_F_INBAND_NOTIFICATIONS = 14
export const PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15
export const PROTOCOL_F_STATUS = 16
export const PROTOCOL_F_XEN_MMAP = 17
export const PROTOCOL_F_SHARED_OBJECT = 18
export const PROTOCOL_F_DEVICE_STATE = 19
/** GET_VRING_BASE may stop a ring with requests in flight. */
export const PROTOCOL_F_GET_VRING_BASE_INFLIGHT = 20
/** Addresses of rings are guest-physical. */
export const PROTOCOL_F_GPA_ADDRESSES = 21
/** Shared memory regions (SHMEM_MAP, SHMEM_UNMAP). Early implementations of it used bit 20 or 21. */
export const PROTOCOL_F_SHMEM = 22
export const PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN = 23

const NAMES: readonly string[] = [
  'MQ',
  'LOG_SHMFD',
  'RARP',
  'REPLY_ACK',
  'NET_MTU',
  'BACKEND_REQ',
  'CROSS_ENDIAN',
  'CRYPTO_SESSION',
  'PAGEFAULT',
  'CONFIG',
  'BACKEND_SEND_FD',
  'HOST_NOTIFIER',
  'INFLIGHT_SHMFD',
  'RESET_DEVICE',
  'INBAND_NOTIFICATIONS',
  'CONFIGURE_MEM_SLOTS',
  'STATUS',
  'XEN_MMAP',
  'SHARED_OBJECT',
  'DEVICE_STATE',
  'GET_VRING_BASE_INFLIGHT',
  'GPA_ADDRESSES',
  'SHMEM',
  'GET_VRING_BASE_SKIP_DRAIN',
]

/** Bits of the word that GET_PROTOCOL_FEATURES and SET_PROTOCOL_FEATURES carry. */
export const PROTOCOL_FEATURE_BITS = 64

/** A protocol feature as people read it: `CONFIG (9)`, `bit 24` for one without a name. */
export function protocolFeatureName(bit: number): string {
  const name = NAMES[bit]
  return name === undefined ? `bit ${bit}` : `${name} (${bit})`
}

/** The protocol features of a set as people read them: `MQ (0), REPLY_ACK (3), bit 24`; `none`. */
export function protocolFeatureNames(features: bigint): string {
  const names: string[] = []
  for (let bit = 0; bit < PROTOCOL_FEATURE_BITS; bit++)
    if (hasFeature(features, bit)) names.push(protocolFeatureName(bit))
  return names.length === 0 ? 'none' : names.join(', ')
}
