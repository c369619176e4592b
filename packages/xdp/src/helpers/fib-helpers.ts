import { type Helper, signedResult } from '@vring/ebpf'
import { EINVAL } from '@vring/layout'
import { type FibTable, lookUpRoute } from '../fib-table.ts'
import type { XdpContext } from '../xdp-context.ts'

/** Bytes of struct bpf_fib_lookup. */
const PARAMETER_BYTES = 64
/** BPF_FIB_LOOKUP_DIRECT, OUTPUT, SKIP_NEIGH, TBID, SRC, MARK. */
const FLAGS = 0x3f

/** The route look-up. Source: Linux net/core/filter.c, bpf_xdp_fib_lookup. */
export const FIB_HELPERS: readonly Helper<XdpContext>[] = [
  {
    number: 69,
    name: 'fib_lookup',
    arguments: ['context', 'memory-to-write', 'size', 'number'],
    result: 'number',
    create: (machine) => {
      const routes = (machine.environment as { readonly fib?: FibTable }).fib ?? []
      return (_c, _r, parameters, region, bytes, _b, flags, flagsHigh) => {
        if (bytes < PARAMETER_BYTES || flagsHigh !== 0 || (flags & ~FLAGS) !== 0) return signedResult(EINVAL)
        return signedResult(lookUpRoute(routes, machine.regions[region]!.view, parameters >>> 0))
      }
    },
  },
]
