import type { SetupId } from './published.ts'
import type { Variant } from './variant.ts'

/** What a claim is about, and so how it can be checked. */
export type ClaimSubject =
  /** after / before - 1 of two ways of access, from the fitted profile of a setup. */
  | {
      readonly kind: 'gain'
      readonly setup: SetupId
      readonly before: Variant
      readonly after: Variant
      readonly smap: boolean
    }
  /** Metadata accesses per packet of copy-checked in full batches, from counted steps. */
  | { readonly kind: 'metadata-accesses' }
  /** A gain that a bench measures and hands over by this key. */
  | { readonly kind: 'measured'; readonly key: string }
  /** Out of reach of model and bench, and why. */
  | { readonly kind: 'untestable'; readonly why: string }

/** A published statement about the cost of virtqueue metadata access. */
export interface Claim {
  readonly id: string
  readonly text: string
  readonly source: string
  /** A gain (0.22 is +22 %), or a count per packet. */
  readonly published: number
  /** The largest difference to `published` that still reproduces it, in the same unit. */
  readonly tolerance: number
  readonly subject: ClaimSubject
}

/** Gains of two published rates, each within 5 % of the model, may differ by this much. */
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
    tolerance: GAIN_TOLERANCE,
    subject: { kind: 'gain', setup, before, after, smap },
  }
}

const V4 = 'patch V4, 23 Jan 2019'
const MASK = 'Jason Wang in the thread of V4, 24 Jan 2019'
const MERGED = 'Linux commit 7f466032dc9e, May 2019'
const REWORK = 'rework, patch 2/2, Sep 2019'
const FIXES = 'fixes v5, cover letter, Aug 2019'

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
  gain(
    'spinlock-smap-off',
    'a spinlock around every access leaves next to nothing without SMAP: +1.5 % (Sandy Bridge)',
    0.015,
    FIXES,
    'merged',
    'copy-checked',
    'linear-spinlock',
    false,
  ),
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
    source: 'Linux commit 0a0be13b8fe2',
    published: 0.448,
    // Another language, another backend: the direction and the order of magnitude are what can be reproduced.
    tolerance: 0.3,
    subject: { kind: 'measured', key: 'tx-batching' },
  },
  {
    id: 'checked-2025',
    text: "checked get_user and put_user in place of the unchecked: 6.08 to 6.32 Gbit/s of a guest's UDP (+3.9 %)",
    source: 'Linux commit 3b34d6324d1f, Nov 2025',
    published: 6.32 / 6.08 - 1,
    tolerance: GAIN_TOLERANCE,
    subject: {
      kind: 'untestable',
      why: "the rate of a guest's network stack, of which the ring is a small part; no base cost was published",
    },
  },
  {
    id: 'in-order',
    text: 'IN_ORDER: testpmd TX 4.75 to 5.35 Mpps',
    source: 'Linux commits 67a873df0c41 and 45347e79b544, 2025',
    published: 5.35 / 4.75 - 1,
    tolerance: GAIN_TOLERANCE,
    subject: { kind: 'untestable', why: 'IN_ORDER is not negotiated by this device' },
  },
  {
    id: 'tap-xdp',
    text: 'XDP on a TAP device: xdp1 about 1.7 to 2.3 Mpps',
    source: 'cover letter of XDP support for tap devices',
    published: 2.3 / 1.7 - 1,
    tolerance: GAIN_TOLERANCE,
    subject: { kind: 'untestable', why: "compares two paths of the kernel's tun driver, neither of which runs here" },
  },
]
