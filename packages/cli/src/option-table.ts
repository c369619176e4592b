/** An option or a positional of a command, by its name without dashes. */
export interface OptionSpec {
  /** `boolean`: a switch. `positional`: an argument without a name, in the order of the table. */
  readonly type: 'boolean' | 'string' | 'positional'
  /** What a value is, for people: `FILE`. */
  readonly valueHint?: string
  readonly description: string
  /** Of a positional: false, it may be left out. */
  readonly required?: boolean
}

/** The options of a command. */
export type OptionTable = Readonly<Record<string, OptionSpec>>

/** `valueHint` of a last positional that takes all the rest. */
export const VARIADIC = '...'

/** `--name`, as people write it. */
export const optionName = (name: string): string => `--${name}`
