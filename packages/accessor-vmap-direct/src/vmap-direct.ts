import {
  ACCESSOR_API_VERSION,
  type AccessorPlugin,
  DirectAccessor,
  defineAccessor,
  eraOption,
  uncheckedUser,
} from '@vring/accessor'
import { createSync, PlainSyncPort, SYNC_NAMES } from '@vring/mmu-notifier'

const NAME = 'vmap-direct'

/**
 * Ring metadata through a kernel mapping that the MMU notifier keeps valid: plain loads and stores, and a copy where
 * there is no mapping. It has no check of its own: what a driver says is masked where it becomes an index, in the ring.
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
    speculationSafe: true,
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
      name: 'hold',
      values: ['batch', 'access'],
      default: 'batch',
      description: 'how long an access keeps the notifier out: a batch, or one access as it was published',
    },
    eraOption,
  ],
  create: (context, { mapping, sync, hold, era }) =>
    new DirectAccessor(context, {
      name: NAME,
      mapping: mapping === 'linear' ? 'linear' : 'vmap',
      hold: hold === 'access' ? 'access' : 'batch',
      user: uncheckedUser(context, era),
      port: context.port ?? new PlainSyncPort(context.cpu),
      sync: (port, slots) => createSync(sync ?? 'spinlock', port, slots),
    }),
})

export default vmapDirect
