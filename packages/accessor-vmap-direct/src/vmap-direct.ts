import {
  ACCESSOR_API_VERSION,
  type AccessorContext,
  type AccessorPlugin,
  CheckedScalarsUser2025,
  defineAccessor,
  eraOption,
  UncheckedUser618,
  UncheckedUser2019,
  type UserAccess,
} from '@vring/accessor'
import { createSync, PlainSyncPort, SYNC_NAMES } from '@vring/mmu-notifier'
import { DirectAccessor } from './direct-accessor.ts'

const NAME = 'vmap-direct'

/**
 * Ring metadata through a kernel mapping that the MMU notifier keeps valid: plain loads and stores, and a copy where
 * there is no mapping.
 * Source: "vhost: access vq metadata through kernel virtual address" V4 (January 2019, `mapping: vmap`, `sync: mutex`);
 * commit 7f466032dc9e (`mapping: linear`, `sync: rcu`); its fixes of August 2019 (`sync: spinlock`).
 */
export const vmapDirect: AccessorPlugin = defineAccessor({
  name: NAME,
  apiVersion: ACCESSOR_API_VERSION,
  description: 'plain access through a kernel mapping that MMU notifiers keep valid; a copy where there is none',
  supports: {
    fileBacked: false,
    iotlb: false,
    noIotlb: true,
    needsMmuNotifier: true,
    needsPrefetch: true,
    speculationSafe: false,
    fallsBack: true,
  },
  options: [
    {
      name: 'mapping',
      values: ['vmap', 'linear'],
      default: 'vmap',
      description: 'any pages side by side, or pages that are physically contiguous and not highmem',
    },
    {
      name: 'sync',
      values: SYNC_NAMES,
      default: 'spinlock',
      description: 'how the MMU notifier knows that no access uses a mapping any more',
    },
    {
      name: 'nospec',
      values: ['false', 'true'],
      default: 'false',
      description: 'make each offset depend on the check that it is inside its area (array_index_nospec)',
    },
    eraOption,
  ],
  create: (context, { mapping, sync, nospec, era }) =>
    new DirectAccessor(context, {
      name: NAME,
      mapping: mapping === 'linear' ? 'linear' : 'vmap',
      nospec: nospec === 'true',
      user: userAccess(context, era),
      port: new PlainSyncPort(context.cpu),
      sync: (port, slots) => createSync(sync ?? 'spinlock', port, slots),
    }),
})

export default vmapDirect

function userAccess({ cpu, space }: AccessorContext, era: string | undefined): UserAccess {
  if (era === '6.18') return new UncheckedUser618(cpu, space)
  if (era === '2025-checked') return new CheckedScalarsUser2025(cpu, space)
  return new UncheckedUser2019(cpu, space)
}
