import {
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
  PROTOCOL_F_CONFIGURE_MEM_SLOTS,
  PROTOCOL_F_LOG_SHMFD,
  PROTOCOL_F_MQ,
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_RARP,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
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
  /** Protocol feature bit that has to be negotiated first, or null. */
  readonly requires: number | null
  /** The datapath has to stand between two rounds while it takes effect. */
  readonly quiesces: boolean
}

const NO_FD: FdPolicy = [0, 0]
const ONE_FD: FdPolicy = [1, 1]
const MAYBE_FD: FdPolicy = [0, 1]

interface Rules {
  readonly fds?: FdPolicy
  readonly requires?: number
  readonly quiesces?: boolean
}

/** A request that is acknowledged when the frontend asks for it. */
function told<Request>(id: number, request: PayloadCodec<Request>, rules: Rules = {}): MessageSpec<Request, null> {
  const { fds = NO_FD, requires = null, quiesces = false } = rules
  return { id, request, reply: null, fds, requires, quiesces }
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
  /** Answered without payload, also without REPLY_ACK. */
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
  readonly RESET_DEVICE: MessageSpec<null, null>
  readonly GET_MAX_MEM_SLOTS: MessageSpec<null, bigint>
  readonly ADD_MEM_REG: MessageSpec<PayloadOfCodec<typeof singleRegion>, null>
  /** A descriptor that comes along is closed, not used. */
  readonly REM_MEM_REG: MessageSpec<PayloadOfCodec<typeof singleRegion>, null>
  readonly SET_STATUS: MessageSpec<bigint, null>
  readonly GET_STATUS: MessageSpec<null, bigint>
}

type PayloadOfCodec<C> = C extends PayloadCodec<infer T> ? T : never

export const MESSAGES: Messages = {
  GET_FEATURES: asked(1, none, u64),
  SET_FEATURES: told(2, u64, { quiesces: true }),
  SET_OWNER: told(3, none),
  RESET_OWNER: told(4, none, { quiesces: true }),
  SET_MEM_TABLE: told(5, memoryTable, { fds: [0, 8], quiesces: true }),
  SET_LOG_BASE: told(6, log, { fds: ONE_FD, requires: PROTOCOL_F_LOG_SHMFD, quiesces: true }),
  SET_LOG_FD: told(7, none, { fds: ONE_FD }),
  SET_VRING_NUM: told(8, vringState, { quiesces: true }),
  SET_VRING_ADDR: told(9, vringAddr, { quiesces: true }),
  SET_VRING_BASE: told(10, vringState, { quiesces: true }),
  GET_VRING_BASE: asked(11, vringState, vringState, { quiesces: true }),
  SET_VRING_KICK: told(12, vringFd, { fds: MAYBE_FD, quiesces: true }),
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
  RESET_DEVICE: told(34, none, { requires: PROTOCOL_F_RESET_DEVICE, quiesces: true }),
  GET_MAX_MEM_SLOTS: asked(36, none, u64, { requires: PROTOCOL_F_CONFIGURE_MEM_SLOTS }),
  ADD_MEM_REG: told(37, singleRegion, { fds: ONE_FD, requires: PROTOCOL_F_CONFIGURE_MEM_SLOTS, quiesces: true }),
  REM_MEM_REG: told(38, singleRegion, { fds: MAYBE_FD, requires: PROTOCOL_F_CONFIGURE_MEM_SLOTS, quiesces: true }),
  SET_STATUS: told(39, u64, { requires: PROTOCOL_F_STATUS, quiesces: true }),
  GET_STATUS: asked(40, none, u64, { requires: PROTOCOL_F_STATUS }),
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

/** The longest payload of the table, in bytes. */
export const PAYLOAD_BYTES_MAX: number = Math.max(...Object.values(MESSAGES).map((spec) => spec.request.bytes[1]))

/** Descriptors that a message of the table carries at most. */
export const MESSAGE_FDS_MAX: number = Math.max(...Object.values(MESSAGES).map((spec) => spec.fds[1]))
