import * as faulty from '../faulty/index.ts'
import * as scenarios from '../scenarios/index.ts'
import type { Draft } from './draft.ts'

/** Values of the driver that rings of other implementations loaded twice: checked once, used as they were later. */
export const doubleFetches: readonly Draft[] = [
  {
    id: 'CVE-2026-86846',
    title: 'the head of a chain is loaded twice: checked once, used as it is later',
    source: 'DPDK vhost crypto, an avail index out of bounds',
    variant: 'TwiceReadHeadQueue',
    expected: 'unchecked-value',
    scenario: scenarios.headRewritten,
    with: { sync: 'spinlock', device: (options) => new faulty.TwiceReadHeadQueue(options) },
    repairedBy: 'spinlock',
  },
  {
    id: 'CVE-2026-86848',
    title: '`next` is loaded twice: checked once, followed as it is later',
    source: 'DPDK vhost crypto, next read twice',
    variant: 'TwiceReadNextQueue',
    expected: 'unchecked-value',
    scenario: scenarios.nextRewritten,
    with: { sync: 'spinlock', device: (options) => new faulty.TwiceReadNextQueue(options) },
    repairedBy: 'spinlock',
  },
  {
    id: 'CVE-2026-93683',
    title: 'the length of an indirect table is loaded twice: checked once, walked by as it is later',
    source: 'DPDK vhost, the length of an indirect table read twice',
    variant: 'TwiceReadTableQueue',
    expected: 'unchecked-value',
    scenario: scenarios.tableRewritten,
    with: { sync: 'spinlock', device: (options) => new faulty.TwiceReadTableQueue(options) },
    repairedBy: 'spinlock',
  },
]
