import { ACCESSOR_API_VERSION, type AccessorPlugin, defineAccessor, eraOption, uncheckedUser } from '@vring/accessor'
import { ACCESS_READ, ACCESS_WRITE } from '@vring/memory'
import { SYNC_NAMES } from '@vring/mmu-notifier'
import { IotlbAccessor } from './iotlb-accessor.ts'

const NAME = 'iotlb-translated'

/**
 * Access to a ring through a device IOTLB, as vhost does with VIRTIO_F_ACCESS_PLATFORM. Every round begins with metadata
 * prefetch (`vq_meta_prefetch`): a missing translation is asked for and ends the round before it starts.
 * Source: Linux 5.0 `drivers/vhost/vhost.c`, vq_meta_prefetch, iotlb_access_ok, translate_desc. `primitive: direct` is what
 * "vhost: access vq metadata through kernel virtual address" (January 2019) announced for the device IOTLB.
 */
export const iotlbTranslated: AccessorPlugin = defineAccessor({
  name: NAME,
  apiVersion: ACCESSOR_API_VERSION,
  description: 'device IOTLB with metadata prefetch: a cached translation, then unchecked user access or a mapping',
  supports: {
    fileBacked: true,
    iotlb: true,
    noIotlb: false,
    needsMmuNotifier: false,
    needsPrefetch: true,
    speculationSafe: true,
    fallsBack: true,
  },
  options: [
    eraOption,
    {
      name: 'prefetch',
      values: ['on', 'off'],
      default: 'on',
      description: 'cache the translation of each area at the start of a round, or look every access up',
      // The search of the IOTLB at each access is branches that nothing masks.
      supports: { off: { needsPrefetch: false, speculationSafe: false } },
    },
    {
      name: 'primitive',
      values: ['user', 'direct'],
      default: 'user',
      description: 'user access at the translated address, or a mapping of it that lives as long as its translation',
      supports: { direct: { needsMmuNotifier: true } },
    },
    {
      name: 'sync',
      values: SYNC_NAMES,
      default: 'spinlock',
      description: 'with primitive=direct: how the MMU notifier knows that no access uses a mapping any more',
    },
    {
      name: 'put',
      values: ['write', 'read'],
      default: 'write',
      description: 'the permission that the look-up of a put asks for; Linux asks for read',
    },
  ],
  create: (context, { era, prefetch, primitive, sync, put }) =>
    new IotlbAccessor(NAME, context, {
      user: uncheckedUser(context, era),
      prefetch: prefetch === 'on',
      putPermission: put === 'read' ? ACCESS_READ : ACCESS_WRITE,
      direct: primitive === 'direct' ? (sync ?? 'spinlock') : null,
    }),
})

export default iotlbTranslated
