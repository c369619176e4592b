import { type Helper, signedResult, wordResult } from '@vring/ebpf'
import { EFAULT, EINVAL } from '@vring/layout'
import type { XdpContext } from '../xdp-context.ts'
import { copyFrame } from '../xdp-fragment.ts'

/** Bytes that one call copies. Source: Linux net/core/filter.c, __bpf_xdp_load_bytes. */
const OFFSET_MAX = 0xffff

/** Helpers over a frame as a whole, in one piece or several. Source: Linux net/core/filter.c. */
export const FRAME_HELPERS: readonly Helper<XdpContext>[] = [
  {
    number: 188,
    name: 'xdp_get_buff_len',
    arguments: ['context'],
    result: 'word',
    create: (machine) => () => wordResult(machine.context.frameBytes),
  },
  {
    number: 189,
    name: 'xdp_load_bytes',
    arguments: ['context', 'number', 'memory-to-write', 'size'],
    result: 'number',
    create: (machine) => (_c, _r, offset, _o, to, region, bytes) => {
      const status = check(machine.context, offset >>> 0, bytes)
      if (status < 0) return signedResult(status)
      copyFrame(machine.context, offset >>> 0, machine.regions[region]!.u8, to >>> 0, bytes, false)
      return signedResult(0)
    },
  },
  {
    number: 190,
    name: 'xdp_store_bytes',
    arguments: ['context', 'number', 'memory', 'size'],
    result: 'number',
    writesPacket: true,
    create: (machine) => (_c, _r, offset, _o, from, region, bytes) => {
      const status = check(machine.context, offset >>> 0, bytes)
      if (status < 0) return signedResult(status)
      copyFrame(machine.context, offset >>> 0, machine.regions[region]!.u8, from >>> 0, bytes, true)
      return signedResult(0)
    },
  },
]

function check({ frameBytes }: XdpContext, offset: number, bytes: number): number {
  if (offset > OFFSET_MAX || bytes > OFFSET_MAX) return EFAULT
  return offset + bytes > frameBytes ? EINVAL : 0
}
