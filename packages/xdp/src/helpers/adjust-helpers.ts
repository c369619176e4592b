import { type Helper, signedResult } from '@vring/ebpf'
import type { XdpContext } from '../xdp-context.ts'

/** Helpers that move the ends of a frame. Source: Linux net/core/filter.c. */
export const ADJUST_HELPERS: readonly Helper<XdpContext>[] = [
  {
    number: 44,
    name: 'xdp_adjust_head',
    arguments: ['context', 'number'],
    result: 'number',
    movesPacket: true,
    create: (machine) => (_c, _r, delta) => signedResult(machine.context.adjustHead(delta)),
  },
  {
    number: 54,
    name: 'xdp_adjust_meta',
    arguments: ['context', 'number'],
    result: 'number',
    movesPacket: true,
    create: (machine) => (_c, _r, delta) => signedResult(machine.context.adjustMeta(delta)),
  },
  {
    number: 65,
    name: 'xdp_adjust_tail',
    arguments: ['context', 'number'],
    result: 'number',
    movesPacket: true,
    create: (machine) => (_c, _r, delta) => signedResult(machine.context.adjustTail(delta)),
  },
]
