import { ringTarget } from '../engine/ring-fuzz.ts'

export const target = ringTarget('split')
