import type { SetupId } from './published.ts'
import type { Variant } from './variant.ts'

/** after / before - 1 of two ways of access, from the profile of a setup that is fitted to the other rows. */
export interface GainSubject {
  readonly kind: 'gain'
  readonly setup: SetupId
  readonly before: Variant
  readonly after: Variant
  readonly smap: boolean
}

/** What a claim is about, and so how it can be checked. */
export type ClaimSubject =
  | GainSubject
  /** Metadata accesses per packet of copy-checked in full batches, from counted steps. */
  | { readonly kind: 'metadata-accesses' }
  /** A gain that a bench measures and hands over by this key; `how` is the run that has the cells for it. */
  | { readonly kind: 'measured'; readonly key: string; readonly how: string }
  /** Out of reach of model and bench, and why. */
  | { readonly kind: 'untestable'; readonly why: string }

/** A published statement about the cost of virtqueue metadata access. */
export interface Claim {
  readonly id: string
  readonly text: string
  readonly source: string
  /** A gain (0.22 is +22 %), or a count per packet. */
  readonly published: number
  /**
   * The largest difference to `published` that still reproduces it, in the same unit. A claimed gain or loss also needs its
   * sign, however small it is.
   */
  readonly tolerance: number
  readonly subject: ClaimSubject
  /** Set where the claim is known to fail. */
  readonly known?: KnownFailure
}

/** Why a claim is known not to be reproduced: it fails like any other, and says what is missing. */
export interface KnownFailure {
  /** What the kernel or the machine does that the model, or the bench where it is measured, lacks. */
  readonly missing: string
  /**
   * Between which values it comes out for that reason, in the unit of {@link Claim.published}; another value has
   * another reason.
   */
  readonly from: number
  readonly to: number
}

/** How many points a gain may be off; fixed before a claim was judged by rows other than its own. */
const GAIN_TOLERANCE = 0.05

function gain(
  id: string,
  text: string,
  published: number,
  source: string,
  setup: SetupId,
  before: Variant,
  after: Variant,
  smap: boolean,
): Claim {
  return {
    id,
    text,
    source,
    published,
    // Wider than the gain itself it would take in a loss, and twice the gain.
    tolerance: published === 0 ? GAIN_TOLERANCE : Math.min(GAIN_TOLERANCE, Math.abs(published)),
    subject: { kind: 'gain', setup, before, after, smap },
  }
}

/** A published statement that neither model nor bench can check, and why. */
function untestable(id: string, text: string, published: number, source: string, why: string): Claim {
  return { id, text, source, published, tolerance: GAIN_TOLERANCE, subject: { kind: 'untestable', why } }
}

/** One answer for both claims of it: the model has no price of that machine. */
const NO_SANDY_BRIDGE =
  'cannot be tested: no rate of a Sandy Bridge was published, so no profile can be fitted; the residuals say what ' +
  "Broadwell's prices would give"

const COVERS = 'cover letters of V1 to V3'
const V4 = 'patch V4, 23 Jan 2019'
const MASK = 'Jason Wang in the thread of V4, 24 Jan 2019'
const MERGED = 'Linux commit 7f466032dc9e, May 2019'
const REWORK = 'rework, patch 2/2, Sep 2019'
const FIXES = 'fixes v5, cover letter, Aug 2019'
const CHECKED = 'Linux commit 3b34d6324d1f, Nov 2025'
const IN_ORDER = 'Linux commits 67a873df0c41 and 45347e79b544, 2025'
const BATCHING = 'Linux commit 0a0be13b8fe2'

/** In process a packet ends at the verdict, so that the part which batching shortens is nearly all of it. */
const NO_TAP =
  'the TAP after the verdict, which costs a packet the same however it is batched; and a batch of 1 is here a round for ' +
  'each packet, where the kernel went on taking many a round and handed them over one by one'

const NO_IN_ORDER =
  "a gain of Linux' driver, which a guest at process speed does not show; the driver of `--in-order` here is DPDK's"

const TUN_PATHS = "compares two paths of the kernel's tun driver, neither of which runs here"

/** Published claims, each with what would reproduce it. */
export const CLAIMS: readonly Claim[] = [
  gain('vmap-smap-on', 'vmap: +22 % with SMAP on', 0.22, V4, 'v4', 'copy-checked', 'vmap-direct', true),
  gain('vmap-smap-off', 'vmap: +12 % with SMAP off', 0.12, V4, 'v4', 'copy-checked', 'vmap-direct', false),
  gain(
    'mask-smap-off',
    'a mask in place of the barrier: 7.2 against 6.6 Mpps, SMAP off',
    7.2 / 6.6 - 1,
    MASK,
    'v4',
    'copy-checked',
    'nospec-masked',
    false,
  ),
  gain(
    'vmap-over-mask',
    'vmap over the mask: 7.4 against 7.2 Mpps, SMAP off ("up to 3 %")',
    7.4 / 7.2 - 1,
    MASK,
    'v4',
    'nospec-masked',
    'vmap-direct',
    false,
  ),
  gain('merged-smap-on', 'as merged: +23 % with SMAP on', 0.23, MERGED, 'merged', 'copy-checked', 'linear-rcu', true),
  gain(
    'merged-smap-off',
    'as merged: +15.5 % with SMAP off',
    0.155,
    MERGED,
    'merged',
    'copy-checked',
    'linear-rcu',
    false,
  ),
  gain(
    'rework-smap-on',
    'rework with a spinlock: +22 % with SMAP on',
    0.22,
    REWORK,
    'rework',
    'copy-checked',
    'linear-spinlock',
    true,
  ),
  gain(
    'rework-smap-off',
    'rework with a spinlock: +8.7 % with SMAP off',
    0.087,
    REWORK,
    'rework',
    'copy-checked',
    'linear-spinlock',
    false,
  ),
  gain(
    'spinlock-smap-on',
    'a spinlock around every access leaves +14 % with SMAP on (Broadwell)',
    0.14,
    FIXES,
    'merged',
    'copy-checked',
    'linear-spinlock',
    true,
  ),
  untestable(
    'spinlock-smap-off',
    'a spinlock around every access leaves next to nothing without SMAP: +1.5 % (Sandy Bridge)',
    0.015,
    FIXES,
    NO_SANDY_BRIDGE,
  ),
  untestable('rework-no-smap', 'rework with a spinlock: no difference on a Sandy Bridge', 0, REWORK, NO_SANDY_BRIDGE),
  {
    id: 'metadata-accesses',
    text: '2 + 4/64 metadata accesses per packet in full batches of 64',
    source: 'derived from Linux 5.0 drivers/vhost/net.c, handle_tx_copy',
    published: 2 + 4 / 64,
    tolerance: 0.05,
    subject: { kind: 'metadata-accesses' },
  },
  {
    id: 'tx-batching',
    text: 'TX batching of 64: +44.8 % with XDP_DROP',
    source: BATCHING,
    published: 0.448,
    // Another language, another backend: the direction and the order of magnitude are what can be reproduced.
    tolerance: 0.3,
    subject: { kind: 'measured', key: 'tx-batching', how: 'run with --sweep batch=1,64' },
    // Larger than published and its tolerance; a loss, or next to no gain, would have another reason.
    known: { missing: NO_TAP, from: 0.748, to: Number.POSITIVE_INFINITY },
  },
  untestable(
    'tx-batching-redirect',
    'TX batching of 64: +29 % with XDP_REDIRECT',
    0.29,
    BATCHING,
    "needs a network card to redirect to; the rate is that card's as much as the batch's",
  ),
  untestable(
    'tx-batching-macvtap',
    'TX batching of 64: +26 % through a macvtap',
    0.26,
    BATCHING,
    'there is no macvtap backend, and most of that rate is the cost of its socket buffers',
  ),
  untestable(
    'covers',
    'vmap: about +24 % of TX packets',
    0.24,
    COVERS,
    'neither the machine nor the state of SMAP was published; V4 gives both, and is tested above',
  ),
  untestable(
    'spinlock-trial',
    'trial of a spinlock before the rework: no gain left',
    0,
    'list, Aug 2019',
    'neither the machine nor the state of SMAP was published; fixes v5 gives both, and is tested above',
  ),
  untestable(
    'checked-2025',
    "checked get_user and put_user in place of the unchecked: 6.08 to 6.32 Gbit/s of a guest's UDP (+3.9 %)",
    6.32 / 6.08 - 1,
    CHECKED,
    "the rate of a guest's network stack, of which the ring is a small part; no base cost was published",
  ),
  untestable(
    'checked-kvm-intel',
    'checked in place of unchecked accessors in KVM: 12 % and more on Intel',
    0.12,
    CHECKED,
    'the time of an accessor of KVM alone, not of a packet; no base cost was published',
  ),
  untestable(
    'checked-kvm-amd',
    'checked in place of unchecked accessors in KVM: 25 % and more on AMD',
    0.25,
    CHECKED,
    'as on Intel, and no rate of an AMD processor was published that a profile could be fitted to',
  ),
  untestable(
    'batched-fetch',
    'descriptors fetched in batches, whatever the ring format: -1 % at 1024 entries',
    -0.01,
    'ring format independence, V4',
    'smaller than what one machine differs from itself by; a batch of descriptors is how the rings here always read',
  ),
  untestable('in-order', 'IN_ORDER: testpmd TX 4.75 to 5.35 Mpps', 5.35 / 4.75 - 1, IN_ORDER, NO_IN_ORDER),
  untestable('in-order-pktgen', 'IN_ORDER: pktgen TX 5.2 to 6.2 Mpps', 6.2 / 5.2 - 1, IN_ORDER, NO_IN_ORDER),
  untestable('in-order-rx', 'IN_ORDER: RX 3.47 to 3.61 Mpps', 3.61 / 3.47 - 1, IN_ORDER, NO_IN_ORDER),
  untestable(
    'tap-xdp',
    'XDP on a TAP device: xdp1 about 1.7 to 2.3 Mpps',
    2.3 / 1.7 - 1,
    'cover letter of XDP support for tap devices',
    TUN_PATHS,
  ),
  untestable(
    'tap-xdp-redirect',
    'XDP on a TAP device: redirect to a network card about 0.8 to 1.38 Mpps',
    1.38 / 0.8 - 1,
    'cover letter of XDP support for tap devices',
    "needs a network card to redirect to, and compares two paths of the kernel's tun driver",
  ),
  untestable(
    'tap-xdp-transmit',
    'XDP redirect to a TAP device: 2.50 to 3.05 Mpps',
    3.05 / 2.5 - 1,
    'cover letter of XDP transmit for tap devices',
    TUN_PATHS,
  ),
]
