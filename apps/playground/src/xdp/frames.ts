/** A frame that programs are run on. */
export interface ExampleFrame {
  readonly id: string
  readonly title: string
  readonly bytes: Uint8Array
}

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_ARP = 0x0806
const ETHERTYPE_VLAN = 0x8100
const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
const ETHERNET_BYTES = 14
const IPV4_BYTES = 20

/** Ethernet with addresses of documentation (RFC 7042), then what `fill` writes. */
function ethernet(length: number, type: number, fill: (view: DataView) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set([0x00, 0x00, 0x5e, 0x00, 0x53, 0x02, 0x00, 0x00, 0x5e, 0x00, 0x53, 0x01])
  const view = new DataView(bytes.buffer)
  view.setUint16(12, type)
  fill(view)
  return bytes
}

/** An IPv4 header at `at`, without options, between addresses of RFC 5737; the payload counts up. */
function ipv4(view: DataView, at: number, protocol: number): void {
  view.setUint8(at, 0x45)
  view.setUint16(at + 2, view.byteLength - at)
  view.setUint8(at + 8, 64)
  view.setUint8(at + 9, protocol)
  view.setUint32(at + 12, 0xc0000201)
  view.setUint32(at + 16, 0xc0000202)
  view.setUint16(at + 10, checksum(view, at))
  const payload = at + IPV4_BYTES
  view.setUint16(payload, 4660)
  view.setUint16(payload + 2, protocol === PROTOCOL_TCP ? 443 : 53)
  if (protocol === PROTOCOL_UDP) view.setUint16(payload + 4, view.byteLength - payload)
  for (let i = payload + 8; i < view.byteLength; i++) view.setUint8(i, i - payload)
}

/** RFC 1071, over a header whose checksum is still 0. */
function checksum(view: DataView, at: number): number {
  let sum = 0
  for (let i = 0; i < IPV4_BYTES; i += 2) sum += view.getUint16(at + i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export const FRAMES: readonly ExampleFrame[] = [
  {
    id: 'udp',
    title: 'UDP over IPv4, 64 bytes',
    bytes: ethernet(64, ETHERTYPE_IPV4, (view) => ipv4(view, ETHERNET_BYTES, PROTOCOL_UDP)),
  },
  {
    id: 'tcp',
    title: 'TCP over IPv4, 78 bytes',
    bytes: ethernet(78, ETHERTYPE_IPV4, (view) => ipv4(view, ETHERNET_BYTES, PROTOCOL_TCP)),
  },
  {
    id: 'vlan',
    title: 'UDP over IPv4 with a VLAN tag, 68 bytes',
    bytes: ethernet(68, ETHERTYPE_VLAN, (view) => {
      view.setUint16(ETHERNET_BYTES, 7)
      view.setUint16(ETHERNET_BYTES + 2, ETHERTYPE_IPV4)
      ipv4(view, ETHERNET_BYTES + 4, PROTOCOL_UDP)
    }),
  },
  { id: 'arp', title: 'ARP, 42 bytes', bytes: ethernet(42, ETHERTYPE_ARP) },
  {
    id: 'cut',
    title: 'IPv4 cut in its header, 20 bytes',
    bytes: ethernet(64, ETHERTYPE_IPV4, (view) => ipv4(view, ETHERNET_BYTES, PROTOCOL_UDP)).slice(0, 20),
  },
]
