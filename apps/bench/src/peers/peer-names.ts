import type { CellSpec } from '../cell/cell-spec.ts'

/** Programs that do the device's work in its place. */
export const PEERS = ['dpdk', 'io-uring', 'io-uring-fixed'] as const
export type PeerName = (typeof PEERS)[number]

/** Does this peer have something to be compared with cells of this driver and backend? */
export function isPeerOf(peer: PeerName, { driver, backend }: Pick<CellSpec, 'driver' | 'backend'>): boolean {
  return peer === 'dpdk' ? driver === 'testpmd' : backend === 'tap'
}

/** Does a driver connect to it, so that it has a ring? */
export function servesDriver(peer: PeerName): boolean {
  return peer === 'dpdk'
}

/** The cells of a group that a peer is measured in the place of: one for each ring, if it has one. */
export function peerCells<T extends Pick<CellSpec, 'ring' | 'inOrder'>>(peer: PeerName, cells: readonly T[]): T[] {
  if (!servesDriver(peer)) return cells.slice(0, 1)
  const ringOf = (cell: T): string => `${cell.ring} ${cell.inOrder}`
  return cells.filter((cell, index) => cells.findIndex((other) => ringOf(other) === ringOf(cell)) === index)
}

/** What a peer does, for people. */
export function peerRole(peer: PeerName, backend: string): string {
  if (peer === 'io-uring') return 'a loop in C that writes batches of 64 frames into a TAP, without a driver'
  if (peer === 'io-uring-fixed') return 'the same loop, from memory that is registered with the ring'
  if (backend === 'tap') return 'net_vhost to net_tap, in place of this device'
  if (backend === 'af-xdp') return 'net_vhost to net_af_xdp in copy mode, in place of this device'
  if (backend === 'loopback') return 'net_vhost, io, in place of this device'
  return 'net_vhost, rxonly, in place of this device'
}

/** How it is called in tables. */
export const PEER_TITLES: Readonly<Record<PeerName, string>> = {
  dpdk: 'DPDK',
  'io-uring': 'C io_uring',
  'io-uring-fixed': 'C io_uring, registered memory',
}
