import {
  ACCESSOR_API_VERSION,
  type AccessorPlugin,
  CopyAccessor,
  defineAccessor,
  eraOption,
  uncheckedUser,
} from '@vring/accessor'

const NAME = 'copy-checked'

/**
 * `__get_user`, `__put_user`, `__copy_from_user` and `__copy_to_user` on a range that was checked when the ring's
 * addresses were set. From the era `2025-checked` on, scalars are checked at each access.
 * Source: Linux 5.0 `drivers/vhost/vhost.c`, vhost_get_user, vhost_put_user, vhost_copy_from_user, vhost_copy_to_user.
 */
export const copyChecked: AccessorPlugin = defineAccessor({
  name: NAME,
  apiVersion: ACCESSOR_API_VERSION,
  description: 'user access with a speculation barrier on a range checked once (__get_user, __copy_from_user)',
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
  create: (context, { era }) => new CopyAccessor(NAME, context, uncheckedUser(context, era)),
})

export default copyChecked
