import { errnoName, refused, VringError } from '@vring/layout'
import type { EbpfMap, EbpfMapDefinition } from './ebpf-map.ts'
import { BPF_ANY } from './ebpf-map.ts'
import type { EbpfMapType } from './map-types.ts'

/** Keys longer than this are refused. Source: Linux MAX_BPF_STACK: a key comes from a program's stack. */
const KEY_BYTES_MAX = 512
/** Values longer than this are refused: one value is one record, not a heap. */
const VALUE_BYTES_MAX = 1 << 20
/** All values of a map together, and all keys. */
const MAP_BYTES_MAX = 1 << 30

/** Checks the sizes of a definition, with one copy of its values for each CPU. @throws VringError naming the field */
function checkDefinition(definition: EbpfMapDefinition, cpus: number): void {
  const { name, keyBytes, valueBytes, maxEntries } = definition
  within(`map ${name}: key size`, keyBytes, KEY_BYTES_MAX)
  within(`map ${name}: value size`, valueBytes, VALUE_BYTES_MAX)
  within(
    `map ${name}: max entries`,
    maxEntries,
    Math.floor(MAP_BYTES_MAX / Math.max(keyBytes, cpus * Math.max(valueBytes, 8))),
  )
}

/** Buffers of records, which check their sizes themselves. */
const HAS_NO_VALUES: ReadonlySet<EbpfMapType> = new Set<EbpfMapType>(['ringbuf', 'perf-event-array'])

/** Refuses keys that are not a 32-bit index. */
export function checkIndexKey(definition: EbpfMapDefinition): void {
  if (definition.keyBytes !== 4)
    throw refused('ERR_INVALID_ARGUMENT', `map ${definition.name}: key size`, definition.keyBytes, '4 (an index)')
}

function within(field: string, value: number, max: number): void {
  if (!(Number.isInteger(value) && value >= 1 && value <= max))
    throw refused('ERR_OUT_OF_RANGE', field, value, `1 to ${max}`)
}

/** What all maps share: their definition and the control plane's way to them. */
export abstract class BaseMap implements EbpfMap {
  readonly name: string
  readonly type: EbpfMapType
  readonly keyBytes: number
  readonly valueBytes: number
  readonly maxEntries: number
  readonly readOnly: boolean
  abstract readonly values: Uint8Array

  readonly flags: number

  constructor(definition: EbpfMapDefinition, cpus = 1) {
    if (!HAS_NO_VALUES.has(definition.type)) checkDefinition(definition, cpus)
    this.name = definition.name
    this.type = definition.type
    this.keyBytes = definition.keyBytes
    this.valueBytes = definition.valueBytes
    this.maxEntries = definition.maxEntries
    this.readOnly = definition.readOnly ?? false
    this.flags = definition.flags ?? 0
  }

  abstract find(memory: Uint8Array, key: number): number
  abstract update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number
  abstract delete(memory: Uint8Array, key: number): number
  abstract keys(): Uint8Array[]

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkBytes('key', key, this.keyBytes)
    const at = this.peek(key)
    return at < 0 ? undefined : this.values.subarray(at, at + this.valueBytes)
  }

  set(key: Uint8Array, value: Uint8Array): void {
    this.#checkBytes('key', key, this.keyBytes)
    this.#checkBytes('value', value, this.valueBytes)
    const status = this.update(key, 0, value, 0, BPF_ANY)
    if (status < 0)
      throw new VringError('ERR_OUT_OF_RANGE', `map ${this.name}: set failed: ${describe(status)}`, { field: 'key' })
  }

  /** As {@link find}, without being a use of the entry. */
  protected peek(key: Uint8Array): number {
    return this.find(key, 0)
  }

  #checkBytes(field: string, bytes: Uint8Array, expected: number): void {
    if (bytes.length !== expected)
      throw refused('ERR_INVALID_ARGUMENT', `map ${this.name}: ${field} bytes`, bytes.length, String(expected))
  }
}

function describe(status: number): string {
  if (status === -7) return 'the map is full, or the index is beyond its last entry (E2BIG)'
  return errnoName(status)
}

/** The little-endian 32-bit number at `at`, without an alignment. */
export function indexAt(memory: Uint8Array, at: number): number {
  return (memory[at]! | (memory[at + 1]! << 8) | (memory[at + 2]! << 16) | (memory[at + 3]! << 24)) >>> 0
}

/** The key of an index: 4 bytes, little-endian. */
export function indexKeyOf(index: number): Uint8Array {
  return Uint8Array.of(index, index >>> 8, index >>> 16, index >>> 24)
}

/** Copies one value; both places may be in one memory. A loop, as values are short and a subarray would allocate. */
export function copyValue(to: Uint8Array, at: number, from: Uint8Array, position: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) to[at + i] = from[position + i]!
}
