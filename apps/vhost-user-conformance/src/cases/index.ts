import type { Case } from '../case.ts'
import { blk } from './blk.ts'
import { config } from './config.ts'
import { connections } from './connections.ts'
import { dirtyLog } from './dirty-log.ts'
import { hostileMessages } from './hostile-messages.ts'
import { hostileRings } from './hostile-rings.ts'
import { inflight } from './inflight.ts'
import { iotlb } from './iotlb.ts'
import { manyQueues } from './many-queues.ts'
import { memory } from './memory.ts'
import { memorySlots } from './memory-slots.ts'
import { negotiation } from './negotiation.ts'
import { net } from './net.ts'
import { notifications } from './notifications.ts'
import { replies } from './replies.ts'
import { ringOrders } from './ring-orders.ts'
import { ringStates } from './ring-states.ts'
import { ringSizes, ringWork } from './ring-work.ts'
import { status } from './status.ts'

/** Every case, in the order in which they are tried: what others build on comes first. */
export const CASES: readonly Case[] = [
  ...negotiation,
  ...replies,
  ...ringStates,
  ...ringOrders,
  ...ringWork,
  ...ringSizes,
  ...notifications,
  ...net,
  ...blk,
  ...memory,
  ...memorySlots,
  ...dirtyLog,
  ...iotlb,
  ...config,
  ...inflight,
  ...status,
  ...manyQueues,
  ...connections,
  ...hostileMessages,
  ...hostileRings,
]
