/** An option of an accessor, for `explain`, `plugins` and argument checking. */
export interface AccessorOption {
  readonly name: string
  readonly values: readonly string[]
  readonly default: string
  readonly description: string
}

/** Option values by name, as strings: `{ era: '2019' }`. */
export type AccessorOptions = Readonly<Record<string, string>>
