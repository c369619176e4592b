import { type EbpfObject, type IntegerField, type MapLayout, type ObjectMap, readInteger } from '@vring/ebpf'
import { addCounts } from '../status/counts.ts'

/** Maps with more entries are not read for metrics. */
export const COUNTED_ENTRIES_MAX = 4096

const COUNTED_TYPES = /^(array|percpu-array|hash|percpu-hash|lru-hash|lru-percpu-hash)$/

/** A map whose integers are told as counters. */
export interface CountedMap {
  readonly definition: ObjectMap
  readonly layout: MapLayout
}

/** Maps of an object that a program counts in: what it only reads, and what holds no numbers, is none. */
export function countedMaps(object: EbpfObject, names: Iterable<string>): CountedMap[] {
  return [...names].flatMap((name) => {
    const definition = object.map(name)
    if (!COUNTED_TYPES.test(definition.type) || definition.readOnly === true) return []
    const { key, value } = object.layout(name)
    const numbers = value.filter(({ bytes, signed }) => bytes >= 4 && !signed)
    return numbers.length === 0 ? [] : [{ definition, layout: { key, value: numbers } }]
  })
}

/**
 * Adds what is not zero in one entry: `rxcnt[17]`, `stats[2].rx.bytes`, `flows[source=1,port=53].frames`; a global variable
 * by its own name.
 *
 * @param values one for each CPU
 */
export function addEntry(
  counts: Record<string, number>,
  { definition, layout }: CountedMap,
  key: Uint8Array,
  values: readonly Uint8Array[],
): void {
  const isVariables = definition.variables !== undefined
  const entry = isVariables ? '' : `${definition.name}[${keyText(key, layout.key)}]`
  for (const field of layout.value) {
    const sum = values.reduce((total, value) => total + readInteger(value, field), 0)
    if (sum > 0) addCounts(counts, { [named(entry, field.path)]: sum })
  }
}

function named(entry: string, path: string): string {
  return entry === '' || path === '' || path.startsWith('[') ? `${entry}${path}` : `${entry}.${path}`
}

function keyText(key: Uint8Array, fields: readonly IntegerField[]): string {
  if (fields.length === 0) return `0x${Buffer.from(key).toString('hex')}`
  return fields.map((field) => `${field.path === '' ? '' : `${field.path}=`}${readInteger(key, field)}`).join(',')
}
