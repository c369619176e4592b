/**
 * A way of reaching virtqueue metadata whose rate was published, named as this repository runs it. The payload
 * is copied as Linux 5.0 does, header and frame one after the other (`payload: 'copy-split'` of a TX round).
 */
export type Variant = 'copy-checked' | 'nospec-masked' | 'vmap-direct' | 'linear-rcu' | 'linear-spinlock'

/** How to run a {@link Variant} in order to count its steps. */
export interface VariantRun {
  /** Name of the accessor plugin. */
  readonly accessor: string
  readonly options: Readonly<Record<string, string>>
  readonly description: string
}

/** Every variant, and which accessor with which options it is. */
export const VARIANTS: Readonly<Record<Variant, VariantRun>> = {
  'copy-checked': {
    accessor: 'copy-checked',
    options: { era: '2019' },
    description: '__get_user, __put_user and __copy_from_user, as vhost had them before every version of the patch',
  },
  'nospec-masked': {
    accessor: 'nospec-masked',
    options: { era: '2019' },
    description: 'get_user, put_user and copy_from_user: a check and a mask in place of the barrier',
  },
  'vmap-direct': {
    accessor: 'vmap-direct',
    options: { mapping: 'vmap', sync: 'mutex', hold: 'access' },
    description: 'V4: plain loads and stores through vmap(), kept valid under the queue mutex',
  },
  'linear-rcu': {
    accessor: 'vmap-direct',
    options: { mapping: 'linear', sync: 'rcu', hold: 'access' },
    description: 'as merged (7f466032dc9e): the linear map, readers under RCU',
  },
  'linear-spinlock': {
    accessor: 'vmap-direct',
    options: { mapping: 'linear', sync: 'spinlock', hold: 'access' },
    description: 'rework and fixes v5: the linear map, a spinlock around every access',
  },
}
