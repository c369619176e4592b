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
