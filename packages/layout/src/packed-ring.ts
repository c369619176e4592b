/**
 * The packed virtqueue (VirtIO 1.3 section 2.8): declared here so that its constants have one home; the ring itself is
 * not built yet.
 */

/** Bytes of one packed descriptor: addr 64, len 32, id 16, flags 16. */
export const PACKED_DESC_BYTES = 16
export const PACKED_DESC_ADDR_OFFSET = 0
export const PACKED_DESC_LEN_OFFSET = 8
export const PACKED_DESC_ID_OFFSET = 12
export const PACKED_DESC_FLAGS_OFFSET = 14
/** flags bit 7: VIRTQ_DESC_F_AVAIL. */
export const VIRTQ_DESC_F_AVAIL = 1 << 7
/** flags bit 15: VIRTQ_DESC_F_USED. */
export const VIRTQ_DESC_F_USED = 1 << 15
/** Bytes of one event suppression structure: desc event offset and wrap counter 16, flags 16. */
export const PACKED_EVENT_BYTES = 4
/** Alignment in bytes of the packed descriptor ring. */
export const PACKED_DESC_ALIGN = 16
/** Alignment in bytes of an event suppression structure. */
export const PACKED_EVENT_ALIGN = 4
/** Event suppression flags (VirtIO 1.3 section 2.8.14). */
export const RING_EVENT_FLAGS_ENABLE = 0
export const RING_EVENT_FLAGS_DISABLE = 1
export const RING_EVENT_FLAGS_DESC = 2
