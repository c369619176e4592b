import {
  ACCESSOR_API_VERSION,
  type AccessorContext,
  type AccessorPlugin,
  CheckedScalarsUser2025,
  CheckedUser618,
  CheckedUser2019,
  CopyAccessor,
  defineAccessor,
  eraOption,
  type UserAccess,
} from '@vring/accessor'

const NAME = 'nospec-masked'

/**
 * `get_user`, `put_user`, `copy_from_user` and `copy_to_user`: each access checks its address, and scalar reads make the
 * address depend on the check's data instead of waiting at a barrier.
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
  create: (context, { era }) => new CopyAccessor(NAME, context, userAccess(context, era)),
})

export default nospecMasked

function userAccess({ cpu, space }: AccessorContext, era: string | undefined): UserAccess {
  if (era === '6.18') return new CheckedUser618(cpu, space)
  if (era === '2025-checked') return new CheckedScalarsUser2025(cpu, space)
  return new CheckedUser2019(cpu, space)
}
