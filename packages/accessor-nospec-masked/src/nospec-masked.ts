import {
  ACCESSOR_API_VERSION,
  type AccessorPlugin,
  CopyAccessor,
  checkedUser,
  defineAccessor,
  eraOption,
} from '@vring/accessor'

const NAME = 'nospec-masked'

/**
 * `get_user`, `put_user`, `copy_from_user` and `copy_to_user`: each access checks its address. Scalar reads make the
 * address depend on the check's data. They do not wait at a barrier.
 * Source: the patch proposed by M. S. Tsirkin in the review of "vhost: access vq metadata through kernel virtual
 * address" (V4, January 2019), merged for scalars as commit 3b34d6324d1f.
 */
export const nospecMasked: AccessorPlugin = defineAccessor({
  name: NAME,
  apiVersion: ACCESSOR_API_VERSION,
  description: 'user access with a check and a data dependency in place of a barrier (get_user, copy_from_user)',
  supports: {
    fileBacked: true,
    iotlb: false,
    noIotlb: true,
    needsMmuNotifier: false,
    needsPrefetch: false,
    speculationSafe: true,
    fallsBack: false,
  },
  options: [eraOption],
  create: (context, { era }) => new CopyAccessor(NAME, context, checkedUser(context, era)),
})

export default nospecMasked
