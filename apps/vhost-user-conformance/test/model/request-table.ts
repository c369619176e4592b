import { REQUESTS, type Request } from '../../src/wire/requests.ts'

/** The set of these bits. */
export const bit = (...bits: readonly number[]): bigint => bits.reduce((set, one) => set | (1n << BigInt(one)), 0n)
/** VERSION_1, ACCESS_PLATFORM, RING_PACKED, PROTOCOL_FEATURES, EVENT_IDX, INDIRECT_DESC, LOG_ALL. */
export const FEATURES = bit(32, 33, 34, 30, 29, 28, 26)
/** MQ to NET_MTU, BACKEND_REQ, CONFIG, INFLIGHT_SHMFD, RESET_DEVICE, CONFIGURE_MEM_SLOTS, STATUS. */
export const PROTOCOL = bit(0, 1, 2, 3, 4, 5, 9, 12, 13, 15, 16)
export const INBAND = 14
export const QUEUES = 8
export const SLOTS = 16
/** Requests by their numbers. */
export const NAMES = new Map<number, Request>(Object.entries(REQUESTS).map(([name, id]) => [id, name as Request]))
/** Protocol features that a request needs. */
export const GATES: Partial<Record<Request, number>> = {
  GET_CONFIG: 9,
  SET_CONFIG: 9,
  GET_INFLIGHT_FD: 12,
  SET_INFLIGHT_FD: 12,
  GET_MAX_MEM_SLOTS: 15,
  ADD_MEM_REG: 15,
  REM_MEM_REG: 15,
  SET_STATUS: 16,
  GET_STATUS: 16,
  SET_LOG_BASE: 1,
  GET_QUEUE_NUM: 0,
  SEND_RARP: 2,
  NET_SET_MTU: 4,
  SET_BACKEND_REQ_FD: 5,
  RESET_DEVICE: 13,
}
/** Bytes of payloads of one size. */
export const SIZES: Partial<Record<Request, number>> = {
  SET_FEATURES: 8,
  SET_PROTOCOL_FEATURES: 8,
  SET_VRING_NUM: 8,
  SET_VRING_BASE: 8,
  GET_VRING_BASE: 8,
  SET_VRING_ENABLE: 8,
  SET_VRING_KICK: 8,
  SET_VRING_CALL: 8,
  SET_VRING_ERR: 8,
  SET_VRING_ADDR: 40,
  ADD_MEM_REG: 40,
  REM_MEM_REG: 40,
  SET_LOG_BASE: 16,
  IOTLB_MSG: 32,
  SET_STATUS: 8,
  NET_SET_MTU: 8,
  SEND_RARP: 8,
  GET_INFLIGHT_FD: 24,
  SET_INFLIGHT_FD: 24,
}
/** Descriptors, least and most. */
export const FDS: Partial<Record<Request, readonly [number, number]>> = {
  SET_MEM_TABLE: [0, 8],
  SET_LOG_BASE: [1, 1],
  SET_LOG_FD: [1, 1],
  SET_VRING_KICK: [0, 1],
  SET_VRING_CALL: [0, 1],
  SET_VRING_ERR: [0, 1],
  SET_BACKEND_REQ_FD: [1, 1],
  ADD_MEM_REG: [1, 1],
  REM_MEM_REG: [0, 1],
  SET_INFLIGHT_FD: [1, 1],
}
