import { type Helper, signedResult, wordResult } from '@vring/ebpf'
import { EFAULT, EINVAL } from '@vring/layout'
import type { XdpContext } from '../xdp-context.ts'

/** Bytes that one call copies. Source: Linux net/core/filter.c, __bpf_xdp_load_bytes. */
const OFFSET_MAX = 0xffff

/** Helpers over a frame as a whole, which lies in one piece here. Source: Linux net/core/filter.c. */
export const FRAME_HELPERS: readonly Helper<XdpContext>[] = [
  {
    number: 188,
    name: 'xdp_get_buff_len',
    arguments: ['context'],
    result: 'word',
    create: (machine) => () => wordResult(machine.context.dataEnd - machine.context.data),
  },
  {
    number: 189,
    name: 'xdp_load_bytes',
    arguments: ['context', 'number', 'memory-to-write', 'size'],
    result: 'number',
    create: (machine) => (_c, _r, offset, _o, to, region, bytes) => {
      const status = check(machine.context, offset >>> 0, bytes)
      if (status < 0) return signedResult(status)
      const { u8, data } = machine.context
      const memory = machine.regions[region]!.u8
      const from = data + offset
      for (let i = 0; i < bytes; i++) memory[(to >>> 0) + i] = u8[from + i]!
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
      const { u8, data } = machine.context
      const memory = machine.regions[region]!.u8
      const to = data + offset
      for (let i = 0; i < bytes; i++) u8[to + i] = memory[(from >>> 0) + i]!
      return signedResult(0)
    },
  },
]

function check({ data, dataEnd }: XdpContext, offset: number, bytes: number): number {
  if (offset > OFFSET_MAX || bytes > OFFSET_MAX) return EFAULT
  return offset + bytes > dataEnd - data ? EINVAL : 0
}
