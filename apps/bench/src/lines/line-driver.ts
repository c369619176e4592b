import type { Area } from '@vring/layout'
import type { MemoryView } from '@vring/memory'
import type { RingFormat } from '../cell-spec.ts'
import type { LineBuffersOptions } from './line-buffers.ts'
import { PackedLineDriver } from './packed-line-driver.ts'
import { SplitLineDriver } from './split-line-driver.ts'

/** A driver that does what a poll-mode driver does and says which lines it touches. */
export interface LineDriver {
  /** Makes `count` chains of one buffer available. */
  publish(count: number): void
  /** Takes back what the device used. */
  reclaim(): void
}

export interface LineDriverOptions extends LineBuffersOptions {
  readonly view: MemoryView
  /** Byte offset of each area in `view`. */
  readonly areas: Readonly<Record<Area, number>>
  readonly inOrder: boolean
}

export function createLineDriver(format: RingFormat, options: LineDriverOptions): LineDriver {
  return format === 'packed' ? new PackedLineDriver(options) : new SplitLineDriver(options)
}
