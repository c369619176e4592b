import type { Btf } from './btf.ts'
import type { IntegerField } from './integer-field.ts'
import type { ObjectMap } from './map-definitions.ts'

/** Integers of a map's keys and values, by the names that BTF has for them. */
export interface MapLayout {
  readonly key: readonly IntegerField[]
  /** Of a section of global variables, paths begin with the variable. */
  readonly value: readonly IntegerField[]
}

const U32: IntegerField = { path: '', offset: 0, bytes: 4, signed: false }
const U64: IntegerField = { path: '', offset: 0, bytes: 8, signed: false }

/** What is known of a map without types: an index of 4 bytes, a counter of 8. */
export function plainLayout({ keyBytes, valueBytes }: ObjectMap): MapLayout {
  return { key: keyBytes === 4 ? [U32] : [], value: valueBytes === 8 ? [U64] : [] }
}

/** The layout of a map that BTF declares, by the numbers of its types; 0: none. */
export function typedLayout(btf: Btf, key: number, value: number): MapLayout {
  return { key: key === 0 ? [] : btf.integers(key), value: value === 0 ? [] : btf.integers(value) }
}

/** The layout of a section of global variables. A variable without a type is a number if it has the size of one. */
export function variablesLayout(btf: Btf | undefined, { variables = [] }: ObjectMap): MapLayout {
  const value = variables.flatMap(({ name, offset, bytes }): IntegerField[] => {
    const type = btf?.variable(name)
    if (type === undefined)
      return bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8
        ? [{ path: name, offset, bytes, signed: false }]
        : []
    return btf!
      .integers(type.sizeOrType)
      .map((one) => ({ ...one, path: joined(name, one.path), offset: offset + one.offset }))
  })
  return { key: [U32], value }
}

function joined(name: string, path: string): string {
  return path === '' || path.startsWith('[') ? `${name}${path}` : `${name}.${path}`
}
