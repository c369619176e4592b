import type { Variant } from './variant.ts'

/** A CPU that published rates were measured on. */
export type MachineId = 'broadwell' | 'kaby-lake'

/** A kernel on a machine: rows of one setup share everything but the way of access and SMAP. */
export type SetupId = 'v4' | 'merged' | 'rework'

/** Machines by name; the clock turns cycles into nanoseconds. */
export const MACHINES: Readonly<Record<MachineId, { readonly name: string; readonly clockGHz: number }>> = {
  broadwell: { name: '2.6 GHz Broadwell', clockGHz: 2.6 },
  'kaby-lake': { name: '4.0 GHz Kaby Lake', clockGHz: 4.0 },
}

/** Setups by name, and the machine of each. */
export const SETUPS: Readonly<Record<SetupId, { readonly name: string; readonly machine: MachineId }>> = {
  v4: { name: 'patch V4, January 2019', machine: 'broadwell' },
  merged: { name: 'as merged (7f466032dc9e), May 2019', machine: 'broadwell' },
  rework: { name: 'rework, September 2019', machine: 'kaby-lake' },
}

/** Bytes of payload that a packet of every published row has copied: virtio-net header with num_buffers, and 64 of frame. */
export const PUBLISHED_COPY_BYTES: number = 12 + 64

/** A published rate: one cell of a table. */
export interface PublishedRate {
  readonly kind: 'rate'
  readonly id: string
  readonly setup: SetupId
  readonly variant: Variant
  /** Was SMAP on? */
  readonly smap: boolean
  /** Million packets a second. */
  readonly mpps: number
  readonly source: string
}

/** A published gain without its rates: after / before - 1. */
export interface PublishedGain {
  readonly kind: 'gain'
  readonly id: string
  /** The setup whose base cost stands for the one that was not published. */
  readonly setup: SetupId
  /** The machine it was measured on, which need not be that of the setup. */
  readonly machine: string
  readonly before: Variant
  readonly after: Variant
  readonly smap: boolean
  /** 0.14 is +14 %. */
  readonly gain: number
  readonly source: string
  /**
   * Kept out of every fit: the profile of its machine is not known, so the one of `setup` is used.
   */
  readonly transfer: boolean
}

export type PublishedRow = PublishedRate | PublishedGain

function rate(setup: SetupId, variant: Variant, smap: boolean, mpps: number, source: string): PublishedRate {
  return { kind: 'rate', id: `${setup}/${variant}/smap-${smap ? 'on' : 'off'}`, setup, variant, smap, mpps, source }
}

const V4 = 'Jason Wang, "[PATCH net-next V4 5/5] vhost: access vq metadata through kernel virtual address", 23 Jan 2019'
const MASK = 'Jason Wang in reply to Michael S. Tsirkin in the thread of V4, 24 Jan 2019'
const MERGED = 'Linux commit 7f466032dc9e, "vhost: access vq metadata through kernel virtual address", 24 May 2019'
const REWORK =
  'Jason Wang, "[PATCH 2/2] vhost: re-introducing metadata acceleration through kernel virtual address", Sep 2019'
const FIXES = 'Jason Wang, "[PATCH V5 0/9] Fixes for vhost metadata acceleration", Aug 2019'

/**
 * What was published about the four versions of the patch: testpmd's virtio_user (txonly, 64 bytes), vhost_net, xdp1 and
 * a TAP device.
 */
export const PUBLISHED: readonly PublishedRow[] = [
  rate('v4', 'copy-checked', true, 5.0, V4),
  rate('v4', 'copy-checked', false, 6.6, V4),
  rate('v4', 'vmap-direct', true, 6.1, V4),
  rate('v4', 'vmap-direct', false, 7.4, V4),
  rate('v4', 'nospec-masked', false, 7.2, MASK),
  rate('merged', 'copy-checked', true, 5.2, MERGED),
  rate('merged', 'copy-checked', false, 7.1, MERGED),
  rate('merged', 'linear-rcu', true, 6.4, MERGED),
  rate('merged', 'linear-rcu', false, 8.2, MERGED),
  rate('rework', 'copy-checked', true, 4.9, REWORK),
  rate('rework', 'copy-checked', false, 6.9, REWORK),
  rate('rework', 'linear-spinlock', true, 6.0, REWORK),
  rate('rework', 'linear-spinlock', false, 7.5, REWORK),
  {
    kind: 'gain',
    id: 'fixes-v5/broadwell/smap-on',
    setup: 'merged',
    machine: 'Broadwell',
    before: 'copy-checked',
    after: 'linear-spinlock',
    smap: true,
    gain: 0.14,
    source: FIXES,
    transfer: false,
  },
  {
    kind: 'gain',
    id: 'fixes-v5/sandy-bridge/smap-off',
    setup: 'merged',
    machine: 'Sandy Bridge, no SMAP',
    before: 'copy-checked',
    after: 'linear-spinlock',
    smap: false,
    gain: 0.015,
    source: FIXES,
    transfer: true,
  },
]
