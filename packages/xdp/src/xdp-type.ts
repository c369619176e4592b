import {
  BASE_HELPERS,
  CSUM_DIFF,
  EVENT_HELPERS,
  type Helper,
  helperTable,
  LOOP_HELPERS,
  MAP_HELPERS,
  type ProgramType,
  TAIL_CALL,
} from '@vring/ebpf'
import { ADJUST_HELPERS } from './helpers/adjust-helpers.ts'
import { FIB_HELPERS } from './helpers/fib-helpers.ts'
import { FRAME_HELPERS } from './helpers/frame-helpers.ts'
import { REDIRECT_HELPERS } from './helpers/redirect-helpers.ts'
import type { XdpContext } from './xdp-context.ts'

/** XDP as a program type: struct xdp_md, its helpers, its sections. Source: Linux net/core/filter.c, xdp_func_proto. */
export const XDP_TYPE: ProgramType<XdpContext> = {
  name: 'XDP',
  number: 6,
  entry: {
    kind: 'context',
    structure: 'xdp_md',
    fields: [
      { offset: 0, bytes: 4, role: 'packet', property: 'data' },
      { offset: 4, bytes: 4, role: 'packet-end', property: 'dataEnd' },
      { offset: 8, bytes: 4, role: 'packet-meta', property: 'dataMeta' },
      { offset: 12, bytes: 4, role: 'number', property: 'ingressIfindex' },
      { offset: 16, bytes: 4, role: 'number', property: 'rxQueueIndex' },
    ],
  },
  helpers: helperTable<Helper<XdpContext>>(
    MAP_HELPERS,
    BASE_HELPERS,
    LOOP_HELPERS,
    EVENT_HELPERS,
    [CSUM_DIFF, TAIL_CALL],
    ADJUST_HELPERS,
    REDIRECT_HELPERS,
    FRAME_HELPERS,
    FIB_HELPERS,
  ),
  // libbpf: xdp, xdp/name, xdp.frags; the kernel's samples before it: xdp1, xdp_name.
  ownsSection: (section) => section.startsWith('xdp'),
}
