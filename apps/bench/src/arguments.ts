import { parseArgs } from 'node:util'
import { nearestName } from '@vring/registry'
import type { ArgsDef } from 'citty'
import { usageError } from './bench-error.ts'

/** Arguments of one command after {@link readArguments}: every option that was given, and the positionals by name. */
export interface Arguments {
  /** Was the flag given? */
  flag(name: string): boolean
  /** The value, or null. Given twice it is refused: one of the two would be ignored, and a run measure what was not asked. */
  text(name: string): string | null
  /** Every value of an option that can be given more than once. */
  all(name: string): readonly string[]
  /** A comma-separated list without duplicates, or null. */
  list(name: string): readonly string[] | null
  /** An integer within limits (inclusive), or `otherwise`. */
  integer(name: string, least: number, most: number, otherwise: number): number
  /** A comma-separated list of integers within limits, or null. */
  integers(name: string, least: number, most: number): readonly number[] | null
}

/** `valueHint` of a last positional that takes all the rest; read them with {@link Arguments.all}. */
export const VARIADIC = '...'

/**
 * Reads a command's arguments strictly: unknown options, missing values and stray positionals are refused by name, with
 * what is accepted and the nearest option.
 *
 * @throws BenchError with exit code 2
 */
export function readArguments(definitions: ArgsDef, rawArgs: readonly string[]): Arguments {
  const options = Object.entries(definitions).filter(([, definition]) => definition.type !== 'positional')
  const positionals = Object.entries(definitions).filter(([, definition]) => definition.type === 'positional')
  const isFlag = new Map(options.map(([name, definition]) => [name, definition.type === 'boolean']))
  const { tokens } = parseArgs({
    args: [...rawArgs],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      options.map(([name, { type }]) => [name, { type: type === 'boolean' ? 'boolean' : 'string' } as const]),
    ),
  })
  const given = new Map<string, string[]>()
  const add = (name: string, value: string): void => void given.set(name, [...(given.get(name) ?? []), value])
  let positional = 0
  for (const token of tokens) {
    if (token.kind === 'positional') {
      const target = positionals[positional] ?? positionals.findLast(([, { valueHint }]) => valueHint === VARIADIC)
      positional++
      if (target === undefined)
        throw usageError(JSON.stringify(token.value), `unexpected; accepted: ${acceptedOptions(options)}`)
      add(target[0], token.value)
    } else if (token.kind === 'option') {
      const flag = isFlag.get(token.name)
      if (flag === undefined) throw unknownOption(token.rawName, options)
      if (flag && token.value !== undefined) throw usageError(token.rawName, 'is a switch and takes no value')
      if (!flag && isMissing(token.value, token.inlineValue)) throw usageError(token.rawName, 'needs a value')
      add(token.name, token.value ?? '')
    }
  }
  for (const [name, definition] of positionals)
    if (definition.required !== false && !given.has(name))
      throw usageError(name.toUpperCase(), `missing: ${definition.description ?? 'needed'}`)
  return new GivenArguments(given)
}

/** `--json --smoke` lacks a value; `--json=--odd` has one. */
function isMissing(value: string | undefined, inline: boolean | undefined): boolean {
  return value === undefined || value === '' || (inline !== true && value.startsWith('--'))
}

class GivenArguments implements Arguments {
  readonly #given: ReadonlyMap<string, readonly string[]>

  constructor(given: ReadonlyMap<string, readonly string[]>) {
    this.#given = given
  }

  flag(name: string): boolean {
    return this.#given.has(name)
  }

  text(name: string): string | null {
    const values = this.all(name)
    if (values.length > 1)
      throw usageError(`--${name}`, `is given twice: ${values.map((value) => JSON.stringify(value)).join(', ')}`)
    return values[0] ?? null
  }

  all(name: string): readonly string[] {
    return this.#given.get(name) ?? []
  }

  list(name: string): readonly string[] | null {
    const text = this.text(name)
    if (text === null) return null
    const items = text.split(',').map((item) => item.trim())
    if (items.some((item) => item === '')) throw usageError(`--${name}`, `${JSON.stringify(text)} has an empty item`)
    const twice = items.find((item, index) => items.indexOf(item) !== index)
    if (twice !== undefined) throw usageError(`--${name}`, `${twice} is listed twice; each cell runs once`)
    return items
  }

  integer(name: string, least: number, most: number, otherwise: number): number {
    const text = this.text(name)
    return text === null ? otherwise : integerIn(name, text, least, most)
  }

  integers(name: string, least: number, most: number): readonly number[] | null {
    return this.list(name)?.map((item) => integerIn(name, item, least, most)) ?? null
  }
}

function integerIn(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least || value > most)
    throw usageError(
      `--${name}`,
      `${JSON.stringify(text)} is not accepted; accepted: an integer from ${least} to ${most}`,
    )
  return value
}

/**
 * One of `names`, or exit code 2 with what is accepted and the nearest.
 *
 * @param argument as the user wrote it: `--driver`
 */
export function oneOf<T extends string>(argument: string, value: string, names: readonly T[]): T {
  const found = names.find((name) => name === value)
  if (found !== undefined) return found
  throw usageError(
    argument,
    `${JSON.stringify(value)} is unknown; accepted: ${names.join(', ')}${didYouMean(value, names)}`,
  )
}

/** The items of a list argument, each one of `names`; null when it was not given. */
export function listOf<T extends string>(args: Arguments, name: string, names: readonly T[]): readonly T[] | null {
  return args.list(name)?.map((item) => oneOf(`--${name}`, item, names)) ?? null
}

function unknownOption(rawName: string, options: readonly (readonly [string, unknown])[]): Error {
  const names = options.map(([name]) => name)
  const near = nearestName(rawName.replace(/^-+/, ''), names)
  const hint = near === null ? '' : `; did you mean --${near}?`
  return usageError(rawName, `unknown option; accepted: ${acceptedOptions(options)}${hint}`)
}

function acceptedOptions(options: readonly (readonly [string, unknown])[]): string {
  return options.length === 0 ? 'none' : options.map(([name]) => `--${name}`).join(', ')
}

/** `; did you mean X?` where a name is near. */
export function didYouMean(value: string, names: readonly string[]): string {
  const near = nearestName(value, names)
  return near === null ? '' : `; did you mean ${near}?`
}
