import { isVringError } from '@vring/layout'
import { interfaceIndex, type LinkOffload, linkInfo, linkOffload, setLinkOffload, type XdpMode } from '@vring/linux'

/** An offload that does to frames what an AF_XDP socket can't see. */
export interface UnseenOffload {
  /** Interface that does it: the one that is served, or the peer of a veth. */
  readonly name: string
  /** By its name to `ethtool -K`. */
  readonly offload: LinkOffload
  /** What it does to frames. */
  readonly effect: string
}

const WITHOUT_TAG = 'frames arrive without their VLAN tag'
const MERGED = 'frames of a TCP stream arrive merged, longer than the MTU'

/**
 * Offloads that are on and hide something from AF_XDP. Its descriptors have no checksum state, no VLAN tag and no
 * segment size (Linux 6.1 include/uapi/linux/if_xdp.h, struct xdp_desc). Checksums need no look: `AfXdpQueue` completes
 * them.
 *
 * @param mode where the interface's program runs: in generic mode it sees frames after the stack has merged them
 * @returns none where the interface, or the peer in another network namespace, can't be asked
 */
export function unseenOffloads(name: string, mode: XdpMode): UnseenOffload[] {
  const { kind, peer, peerHere } = linkInfo(interfaceIndex(name))
  const asked: UnseenOffload[] =
    kind === 'veth'
      ? []
      : [
          { name, offload: 'rxvlan', effect: WITHOUT_TAG },
          { name, offload: 'lro', effect: MERGED },
        ]
  if (mode === 'generic') asked.push({ name, offload: 'gro', effect: MERGED })
  if (kind === 'veth' && peerHere && peer !== 0) {
    const sender = linkInfo(peer).name
    // The tag stays beside the frame, for a device that the frame never comes to.
    asked.push({ name: sender, offload: 'txvlan', effect: WITHOUT_TAG })
    // In native mode the kernel takes the peer's segmentation off by itself (drivers/net/veth.c, veth_xdp_set).
    if (mode === 'generic') asked.push({ name: sender, offload: 'tso', effect: MERGED })
  }
  return asked.filter((one) => isOn(one.name, one.offload))
}

/** True when a veth's peer is in another network namespace, where its offloads can't be asked for. */
export function hasFarPeer(name: string): boolean {
  const { kind, peer, peerHere } = linkInfo(interfaceIndex(name))
  return kind === 'veth' && peer !== 0 && !peerHere
}

/**
 * Switches offloads off. Those of before are not restored.
 *
 * @throws VringError ERR_SYSTEM: EPERM, EOPNOTSUPP (it can't be switched)
 */
export function fixOffloads(offloads: readonly UnseenOffload[]): void {
  for (const { name, offload } of offloads) setLinkOffload(name, offload, false)
}

/** The command that does the same. */
export function ethtoolLine({ name, offload }: UnseenOffload): string {
  return `ethtool -K ${name} ${offload} off`
}

function isOn(name: string, offload: LinkOffload): boolean {
  try {
    return linkOffload(name, offload)
  } catch (error) {
    // It has no such offload.
    if (isVringError(error)) return false
    throw error
  }
}
