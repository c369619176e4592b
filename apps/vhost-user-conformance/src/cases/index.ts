import type { Case } from '../case.ts'
import { negotiation } from './negotiation.ts'
import { replies } from './replies.ts'
import { ringOrders } from './ring-orders.ts'
import { ringStates } from './ring-states.ts'

/** Every case, in the order in which they are tried: what others build on comes first. */
export const CASES: readonly Case[] = [...negotiation, ...replies, ...ringStates, ...ringOrders]
