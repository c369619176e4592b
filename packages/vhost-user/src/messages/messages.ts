import {
  config,
  configReply,
  deviceState,
  inflight,
  iotlb,
  log,
  memoryTable,
  none,
  type PayloadCodec,
  singleRegion,
  u64,
  vringAddr,
  vringFd,
  vringState,
} from './payload.ts'
import {
  PROTOCOL_F_BACKEND_REQ,
  PROTOCOL_F_CONFIG,
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_CROSS_ENDIAN,
  PROTOCOL_F_CRYPTO_SESSION,
  PROTOCOL_F_DEVICE_STATE,
  PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN,
  PROTOCOL_F_INBAND_NOTIFICATIONS,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_PAGEFAULT,
  PROTOCOL_F_RARP,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_SHARED_OBJECT,
  PROTOCOL_F_SHMEM,
  PROTOCOL_F_STATUS,
  protocolFeatureName,
} from './protocol-features.ts'

/** File descriptors that a message carries, least and most. */
export type FdPolicy = readonly [least: number, most: number]

/** One request of the protocol, as data: the session's dispatch, the codec, the tracer and the frontend read it. */
export interface MessageSpec<Request, Reply> {
  /** Number on the wire. */
  readonly id: number
  readonly request: PayloadCodec<Request>
  /** What is always answered; null: only an acknowledgement, and only when it is asked for (REPLY_ACK). */
  readonly reply: PayloadCodec<Reply> | null
  readonly fds: FdPolicy
  /** Descriptors of the answer. */
  readonly replyFds: FdPolicy
  /** Protocol feature bit that has to be negotiated first, or null. */
  readonly requires: number | null
  /** The datapath has to stand between two rounds while it takes effect. */
  readonly quiesces: boolean
  /** Answered without payload where no status is asked for. */
  readonly emptyReply: boolean
  /**
   * The ring whose guest wrote what it carries, by the payload as it came; a bad value fails that ring, and not the
   * connection. Null: what it carries is the frontend's own.
   */
  readonly guestRing: ((payload: Uint8Array) => number) | null
}

const NO_FD: FdPolicy = [0, 0]
const ONE_FD: FdPolicy = [1, 1]
const MAYBE_FD: FdPolicy = [0, 1]

interface Rules {
  readonly fds?: FdPolicy
  readonly requires?: number
  readonly quiesces?: boolean
  readonly replyFds?: FdPolicy
  readonly emptyReply?: boolean
  readonly guestRing?: (payload: Uint8Array) => number
}

/** The ring that a state or an address is of: a 32-bit word. */
const ringWord = (payload: Uint8Array): number => new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)
/** The ring that a descriptor is of: bits 0 to 7. */
const ringByte = (payload: Uint8Array): number => payload[0]!

/** A request that is acknowledged when the frontend asks for it. */
function told<Request>(id: number, request: PayloadCodec<Request>, rules: Rules = {}): MessageSpec<Request, null> {
  const { fds = NO_FD, replyFds = NO_FD, requires = null, quiesces = false } = rules
  const { emptyReply = false, guestRing = null } = rules
  return { id, request, reply: null, fds, replyFds, requires, quiesces, emptyReply, guestRing }
}

/** A request that is always answered. */
function asked<Request, Reply>(
  id: number,
  request: PayloadCodec<Request>,
  reply: PayloadCodec<Reply>,
  rules: Rules = {},
): MessageSpec<Request, Reply> {
  return { ...told(id, request, rules), reply }
}

/**
 * What a frontend may ask of this backend. Source: the vhost-user protocol specification, section "Front-end message
 * types". A request that is not here is unknown, and refused.
 */
export interface Messages {
  readonly GET_FEATURES: MessageSpec<null, bigint>
  readonly SET_FEATURES: MessageSpec<bigint, null>
  readonly SET_OWNER: MessageSpec<null, null>
  /** Deprecated: rings are disabled, nothing else is reset. */
  readonly RESET_OWNER: MessageSpec<null, null>
  readonly SET_MEM_TABLE: MessageSpec<PayloadOfCodec<typeof memoryTable>, null>
  /** Answered with a status when that is asked for, else without payload: LOG_SHMFD promises an answer. */
  readonly SET_LOG_BASE: MessageSpec<PayloadOfCodec<typeof log>, null>
  readonly SET_LOG_FD: MessageSpec<null, null>
  readonly SET_VRING_NUM: MessageSpec<PayloadOfCodec<typeof vringState>, null>
  readonly SET_VRING_ADDR: MessageSpec<PayloadOfCodec<typeof vringAddr>, null>
  readonly SET_VRING_BASE: MessageSpec<PayloadOfCodec<typeof vringState>, null>
  /** Stops the ring. */
  readonly GET_VRING_BASE: MessageSpec<PayloadOfCodec<typeof vringState>, PayloadOfCodec<typeof vringState>>
  /** Starts the ring. */
  readonly SET_VRING_KICK: MessageSpec<PayloadOfCodec<typeof vringFd>, null>
  readonly SET_VRING_CALL: MessageSpec<PayloadOfCodec<typeof vringFd>, null>
  readonly SET_VRING_ERR: MessageSpec<PayloadOfCodec<typeof vringFd>, null>
  readonly GET_PROTOCOL_FEATURES: MessageSpec<null, bigint>
  readonly SET_PROTOCOL_FEATURES: MessageSpec<bigint, null>
  readonly GET_QUEUE_NUM: MessageSpec<null, bigint>
  readonly SET_VRING_ENABLE: MessageSpec<PayloadOfCodec<typeof vringState>, null>
  readonly SEND_RARP: MessageSpec<bigint, null>
  readonly NET_SET_MTU: MessageSpec<bigint, null>
  readonly SET_BACKEND_REQ_FD: MessageSpec<null, null>
  readonly IOTLB_MSG: MessageSpec<PayloadOfCodec<typeof iotlb>, null>
  readonly GET_CONFIG: MessageSpec<PayloadOfCodec<typeof config>, PayloadOfCodec<typeof configReply>>
  readonly SET_CONFIG: MessageSpec<PayloadOfCodec<typeof config>, null>
  readonly GET_INFLIGHT_FD: MessageSpec<PayloadOfCodec<typeof inflight>, PayloadOfCodec<typeof inflight>>
  readonly SET_INFLIGHT_FD: MessageSpec<PayloadOfCodec<typeof inflight>, null>
  readonly RESET_DEVICE: MessageSpec<null, null>
  readonly GET_MAX_MEM_SLOTS: MessageSpec<null, bigint>
  readonly ADD_MEM_REG: MessageSpec<PayloadOfCodec<typeof singleRegion>, null>
  /** A descriptor that comes along is closed, not used. */
  readonly REM_MEM_REG: MessageSpec<PayloadOfCodec<typeof singleRegion>, null>
  readonly SET_STATUS: MessageSpec<bigint, null>
  readonly GET_STATUS: MessageSpec<null, bigint>
  /** Answered with 0 in bits 0 to 7 when the transfer begins, and bit 8: no other descriptor is used. */
  readonly SET_DEVICE_STATE_FD: MessageSpec<PayloadOfCodec<typeof deviceState>, bigint>
  /** Answered with 0 when the whole state was transferred. */
  readonly CHECK_DEVICE_STATE: MessageSpec<null, bigint>
}

type PayloadOfCodec<C> = C extends PayloadCodec<infer T> ? T : never

export const MESSAGES: Messages = {
  GET_FEATURES: asked(1, none, u64),
  SET_FEATURES: told(2, u64, { quiesces: true }),
  SET_OWNER: told(3, none),
  RESET_OWNER: told(4, none, { quiesces: true }),
  SET_MEM_TABLE: told(5, memoryTable, { fds: [0, 8], quiesces: true }),
  SET_LOG_BASE: told(6, log, { fds: ONE_FD, requires: PROTOCOL_F_LOG_SHMFD, quiesces: true, emptyReply: true }),
  SET_LOG_FD: told(7, none, { fds: ONE_FD }),
  SET_VRING_NUM: told(8, vringState, { quiesces: true, guestRing: ringWord }),
  SET_VRING_ADDR: told(9, vringAddr, { quiesces: true, guestRing: ringWord }),
  SET_VRING_BASE: told(10, vringState, { quiesces: true, guestRing: ringWord }),
  GET_VRING_BASE: asked(11, vringState, vringState, { quiesces: true }),
  SET_VRING_KICK: told(12, vringFd, { fds: MAYBE_FD, quiesces: true, guestRing: ringByte }),
  SET_VRING_CALL: told(13, vringFd, { fds: MAYBE_FD, quiesces: true }),
  SET_VRING_ERR: told(14, vringFd, { fds: MAYBE_FD, quiesces: true }),
  GET_PROTOCOL_FEATURES: asked(15, none, u64),
  SET_PROTOCOL_FEATURES: told(16, u64),
  GET_QUEUE_NUM: asked(17, none, u64, { requires: PROTOCOL_F_MQ }),
  SET_VRING_ENABLE: told(18, vringState, { quiesces: true }),
  SEND_RARP: told(19, u64, { requires: PROTOCOL_F_RARP }),
  NET_SET_MTU: told(20, u64, { requires: PROTOCOL_F_NET_MTU }),
  SET_BACKEND_REQ_FD: told(21, none, { fds: ONE_FD, requires: PROTOCOL_F_BACKEND_REQ }),
  IOTLB_MSG: told(22, iotlb, { quiesces: true }),
  GET_CONFIG: asked(24, config, configReply, { requires: PROTOCOL_F_CONFIG }),
  SET_CONFIG: told(25, config, { requires: PROTOCOL_F_CONFIG, quiesces: true }),
  GET_INFLIGHT_FD: asked(31, inflight, inflight, { replyFds: ONE_FD, requires: PROTOCOL_F_INFLIGHT_SHMFD }),
  SET_INFLIGHT_FD: told(32, inflight, { fds: ONE_FD, requires: PROTOCOL_F_INFLIGHT_SHMFD, quiesces: true }),
  RESET_DEVICE: told(34, none, { requires: PROTOCOL_F_RESET_DEVICE, quiesces: true }),
  GET_MAX_MEM_SLOTS: asked(36, none, u64, { requires: PROTOCOL_F_CONFIGURE_MEM_SLOTS }),
  ADD_MEM_REG: told(37, singleRegion, { fds: ONE_FD, requires: PROTOCOL_F_CONFIGURE_MEM_SLOTS, quiesces: true }),
  REM_MEM_REG: told(38, singleRegion, { fds: MAYBE_FD, requires: PROTOCOL_F_CONFIGURE_MEM_SLOTS, quiesces: true }),
  SET_STATUS: told(39, u64, { requires: PROTOCOL_F_STATUS, quiesces: true }),
  GET_STATUS: asked(40, none, u64, { requires: PROTOCOL_F_STATUS }),
  SET_DEVICE_STATE_FD: asked(42, deviceState, u64, {
    fds: ONE_FD,
    replyFds: MAYBE_FD,
    requires: PROTOCOL_F_DEVICE_STATE,
    quiesces: true,
  }),
  CHECK_DEVICE_STATE: asked(43, none, u64, { requires: PROTOCOL_F_DEVICE_STATE }),
}

export type RequestName = keyof Messages
/** What a request of this name carries. */
export type RequestPayload<Name extends RequestName> = Messages[Name] extends MessageSpec<infer T, infer _> ? T : never
/** What its answer carries; null where there is none. */
export type ReplyPayload<Name extends RequestName> = Messages[Name] extends MessageSpec<infer _, infer T> ? T : never

const byId = new Map<number, RequestName>(
  (Object.keys(MESSAGES) as RequestName[]).map((name) => [MESSAGES[name].id, name]),
)

/** The name of a request number, or null when this backend does not know it. */
export function requestName(id: number): RequestName | null {
  return byId.get(id) ?? null
}

/** A request that this backend knows and does not serve, with the protocol feature that it belongs to. */
interface UnservedRequest {
  readonly name: string
  readonly feature: number | null
}

/** By number on the wire. */
const UNSERVED: ReadonlyMap<number, UnservedRequest> = new Map([
  [23, { name: 'SET_VRING_ENDIAN', feature: PROTOCOL_F_CROSS_ENDIAN }],
  [26, { name: 'CREATE_CRYPTO_SESSION', feature: PROTOCOL_F_CRYPTO_SESSION }],
  [27, { name: 'CLOSE_CRYPTO_SESSION', feature: PROTOCOL_F_CRYPTO_SESSION }],
  [28, { name: 'POSTCOPY_ADVISE', feature: PROTOCOL_F_PAGEFAULT }],
  [29, { name: 'POSTCOPY_LISTEN', feature: PROTOCOL_F_PAGEFAULT }],
  [30, { name: 'POSTCOPY_END', feature: PROTOCOL_F_PAGEFAULT }],
  [33, { name: 'GPU_SET_SOCKET', feature: null }],
  [35, { name: 'VRING_KICK', feature: PROTOCOL_F_INBAND_NOTIFICATIONS }],
  [41, { name: 'GET_SHARED_OBJECT', feature: PROTOCOL_F_SHARED_OBJECT }],
  [44, { name: 'GET_SHMEM_CONFIG', feature: PROTOCOL_F_SHMEM }],
  [45, { name: 'GET_VRING_BASE_SKIP_DRAIN', feature: PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN }],
])

/** Any request number as people read it: `SET_FEATURES`, `POSTCOPY_ADVISE`, `request 99`. */
export function requestLabel(id: number): string {
  return requestName(id) ?? UNSERVED.get(id)?.name ?? `request ${id}`
}

/** Why this backend does not serve a request that is not in {@link MESSAGES}. */
export function unservedReason(id: number): string {
  const known = UNSERVED.get(id)
  if (known === undefined) return 'a request of the protocol table'
  return known.feature === null
    ? 'requests of the device types that are served'
    : `requests of the protocol features on offer; it belongs to ${protocolFeatureName(known.feature)}`
}

/** The longest payload of the table, in bytes. */
export const PAYLOAD_BYTES_MAX: number = Math.max(...Object.values(MESSAGES).map((spec) => spec.request.bytes[1]))

/** Descriptors that a message of the table carries at most. */
export const MESSAGE_FDS_MAX: number = Math.max(...Object.values(MESSAGES).map((spec) => spec.fds[1]))
