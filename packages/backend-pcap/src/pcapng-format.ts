/*
 * Numbers of the capture formats. Sources: draft-ietf-opsawg-pcapng (pcapng), draft-ietf-opsawg-pcap (classic pcap).
 */

/** Section Header Block; the same in both byte orders. */
export const BLOCK_SECTION = 0x0a0d0d0a
/** Interface Description Block. */
export const BLOCK_INTERFACE = 1
/** Packet Block, obsolete. */
export const BLOCK_PACKET = 2
/** Simple Packet Block. */
export const BLOCK_SIMPLE_PACKET = 3
/** Enhanced Packet Block. */
export const BLOCK_ENHANCED_PACKET = 6
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d

export const OPTION_END = 0
export const OPTION_IF_NAME = 2
export const OPTION_IF_TSRESOL = 9
export const OPTION_IF_TSOFFSET = 14
export const OPTION_SHB_USERAPPL = 4
export const OPTION_EPB_FLAGS = 2

/** epb_flags: the frame came in, or went out. */
export const EPB_INBOUND = 1
export const EPB_OUTBOUND = 2

export const LINKTYPE_ETHERNET = 1
/** if_tsresol: timestamps count 10^-9 s. */
export const TSRESOL_NS = 9
/** if_tsresol without the option: 10^-6 s. */
export const TSRESOL_DEFAULT = 6

/** Classic pcap, in the file's byte order: timestamps in microseconds, or in nanoseconds. */
export const PCAP_MAGIC_US = 0xa1b2c3d4
export const PCAP_MAGIC_NS = 0xa1b23c4d

/** Blocks and options are padded to this. */
export const ALIGNMENT = 4

/** A length rounded up to whole words. */
export function padded(bytes: number): number {
  return (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
}
