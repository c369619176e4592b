import type { AccessorSupports } from './accessor-supports.ts'

/** An option of an accessor, for `explain`, `plugins` and argument checking. */
export interface AccessorOption {
  readonly name: string
  readonly values: readonly string[]
  readonly default: string
  readonly description: string
  /** By value: what is other than the plugin's `supports` says, where it is chosen. Not of the default. */
  readonly supports?: Readonly<Record<string, Partial<AccessorSupports>>>
}

/** Option values by name, as strings: `{ era: '2019' }`. */
export type AccessorOptions = Readonly<Record<string, string>>
