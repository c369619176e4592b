import { didYouMean, usageError } from './cli-error.ts'

/** What was given to a command: every option and the positionals by name. */
export class Arguments {
  readonly #given: ReadonlyMap<string, readonly string[]>

  /** @param given values by name, in the order in which they were given; a switch has an empty one */
  constructor(given: ReadonlyMap<string, readonly string[]>) {
    this.#given = given
  }

  /** Names of what was given. */
  get names(): readonly string[] {
    return [...this.#given.keys()]
  }

  /** Was the switch given? */
  flag(name: string): boolean {
    return this.#given.has(name)
  }

  /**
   * The value, or null.
   *
   * @throws CliError when it was given twice: one of the two would be ignored
   */
  text(name: string): string | null {
    const values = this.all(name)
    if (values.length > 1)
      throw usageError(`--${name}`, `is given twice: ${values.map((value) => JSON.stringify(value)).join(', ')}`)
    return values[0] ?? null
  }

  /** Every value of an option that can be given more than once. */
  all(name: string): readonly string[] {
    return this.#given.get(name) ?? []
  }

  /** A comma-separated list without duplicates, or null. @throws CliError */
  list(name: string): readonly string[] | null {
    const text = this.text(name)
    if (text === null) return null
    const items = text.split(',').map((item) => item.trim())
    if (items.some((item) => item === '')) throw usageError(`--${name}`, `${JSON.stringify(text)} has an empty item`)
    const twice = items.find((item, index) => items.indexOf(item) !== index)
    if (twice !== undefined) throw usageError(`--${name}`, `${twice} is listed twice; each cell runs once`)
    return items
  }

  /** An integer within limits (inclusive), or `otherwise`. @throws CliError */
  integer(name: string, least: number, most: number, otherwise: number): number {
    const text = this.text(name)
    return text === null ? otherwise : integerIn(`--${name}`, text, least, most)
  }

  /** A comma-separated list of integers within limits, or null. @throws CliError */
  integers(name: string, least: number, most: number): readonly number[] | null {
    return this.list(name)?.map((item) => integerIn(`--${name}`, item, least, most)) ?? null
  }
}

/**
 * Text that is an integer within limits (inclusive).
 *
 * @param argument as the user wrote it: `--queues`
 * @throws CliError
 */
export function integerIn(argument: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least || value > most)
    throw usageError(argument, `${JSON.stringify(text)} is not accepted; accepted: an integer from ${least} to ${most}`)
  return value
}

/**
 * One of `names`.
 *
 * @param argument as the user wrote it: `--driver`
 * @throws CliError with what is accepted and the nearest
 */
export function oneOf<T extends string>(argument: string, value: string, names: readonly T[]): T {
  const found = names.find((name) => name === value)
  if (found !== undefined) return found
  throw usageError(
    argument,
    `${JSON.stringify(value)} is unknown; accepted: ${names.join(', ')}${didYouMean(value, names)}`,
  )
}

/** The items of a list argument, each one of `names`; null when it was not given. @throws CliError */
export function listOf<T extends string>(args: Arguments, name: string, names: readonly T[]): readonly T[] | null {
  return args.list(name)?.map((item) => oneOf(`--${name}`, item, names)) ?? null
}
