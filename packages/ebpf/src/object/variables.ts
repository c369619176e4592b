import { refused } from '@vring/layout'
import type { ObjectMap } from './map-definitions.ts'

/** The longest integer of C, __int128. */
const INTEGER_BYTES_MAX = 16

/** Values for global variables by name: numbers as little-endian integers of the variable's size, or its bytes. */
export type VariableValues = Readonly<Record<string, number | bigint | Uint8Array>>

/**
 * Contents that sections of global variables start with: what the object says, then `values`.
 *
 * @returns by map name; sections only
 * @throws VringError ERR_UNKNOWN_NAME for a variable that none of the maps has; ERR_OUT_OF_RANGE for a value that does
 * not fit
 */
export function initialContents(maps: readonly ObjectMap[], values: VariableValues = {}): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>()
  for (const { name, initial, valueBytes } of maps) {
    if (initial === undefined) continue
    contents.set(name, contentsOf(name, valueBytes, initial))
  }
  for (const [name, value] of Object.entries(values)) {
    const map = maps.find(({ variables }) => variables?.some((one) => one.name === name))
    if (map === undefined) {
      // Those with a dot are static variables of functions, such as the text of a bpf_printk.
      const known = maps
        .flatMap(({ variables = [] }) => variables.map((one) => one.name))
        .filter((one) => !one.includes('.'))
      throw refused('ERR_UNKNOWN_NAME', 'variable', name, known.length === 0 ? 'none' : `one of ${known.join(', ')}`)
    }
    const { offset, bytes } = map.variables!.find((one) => one.name === name)!
    contents.get(map.name)!.set(bytesOf(name, bytes, value), offset)
  }
  return contents
}

function contentsOf(name: string, length: number, initial: Uint8Array): Uint8Array {
  try {
    const bytes = new Uint8Array(length)
    bytes.set(initial)
    return bytes
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw refused('ERR_OUT_OF_RANGE', `map ${name}: value size`, length, 'what memory holds')
  }
}

/**
 * Those of the values whose variables are in one of the maps: what a program that is loaded beside another takes of
 * them.
 */
export function variablesOf(maps: readonly ObjectMap[], values: VariableValues): VariableValues {
  const names = new Set(maps.flatMap(({ variables = [] }) => variables.map((one) => one.name)))
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name)))
}

function bytesOf(name: string, bytes: number, value: number | bigint | Uint8Array): Uint8Array {
  if (typeof value === 'object') {
    if (value.length !== bytes)
      throw refused('ERR_OUT_OF_RANGE', `variable ${name}: bytes`, value.length, String(bytes))
    return value
  }
  if (bytes > INTEGER_BYTES_MAX)
    throw refused('ERR_INVALID_ARGUMENT', `variable ${name}`, String(value), `${bytes} bytes, as a Uint8Array`)
  const bits = BigInt(8 * bytes)
  const number = typeof value === 'bigint' || Number.isInteger(value) ? BigInt(value) : undefined
  if (number === undefined || number < -(1n << (bits - 1n)) || number >= 1n << bits)
    throw refused('ERR_OUT_OF_RANGE', `variable ${name}`, String(value), `an integer of ${8 * bytes} bits`)
  return Uint8Array.from({ length: bytes }, (_, i) =>
    Number((BigInt.asUintN(Number(bits), number) >> BigInt(8 * i)) & 0xffn),
  )
}
