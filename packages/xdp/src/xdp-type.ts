import { BASE_HELPERS, CSUM_DIFF, helperTable, MAP_HELPERS, type ProgramType } from '@vring/ebpf'
import { ADJUST_HELPERS } from './helpers/adjust-helpers.ts'
import { REDIRECT_HELPERS } from './helpers/redirect-helpers.ts'
import type { XdpContext } from './xdp-context.ts'

/** XDP as a program type: struct xdp_md, its helpers, its sections. Source: Linux net/core/filter.c, xdp_func_proto. */
export const XDP_TYPE: ProgramType<XdpContext> = {
  name: 'XDP',
  number: 6,
  entry: {
    kind: 'context',
    fields: [
      { offset: 0, bytes: 4, role: 'packet', property: 'data' },
      { offset: 4, bytes: 4, role: 'packet-end', property: 'dataEnd' },
      { offset: 8, bytes: 4, role: 'packet-meta', property: 'dataMeta' },
      { offset: 12, bytes: 4, role: 'number', property: 'ingressIfindex' },
      { offset: 16, bytes: 4, role: 'number', property: 'rxQueueIndex' },
    ],
  },
  helpers: helperTable<ProgramHelper>(MAP_HELPERS, BASE_HELPERS, [CSUM_DIFF], ADJUST_HELPERS, REDIRECT_HELPERS),
  // libbpf: xdp, xdp/name, xdp.frags; the kernel's samples before it: xdp1, xdp_name.
  ownsSection: (section) => section.startsWith('xdp'),
}

type ProgramHelper = NonNullable<ReturnType<ProgramType<XdpContext>['helpers']['get']>>
