import { refused, VringError } from '@vring/layout'
import { BtfSection, TYPE_BYTES } from './btf-section.ts'
import { INTEGER_FIELDS_MAX, type IntegerField } from './integer-field.ts'

/** One type of the BTF type section; numbers start at 1, 0 is void. */
export interface BtfType {
  readonly kind: number
  readonly name: string
  /** Bytes of a sized type, or the type that this one refers to. */
  readonly sizeOrType: number
  /** Members of a struct or union, parameters of a function prototype, variables of a section. */
  readonly members: readonly BtfMember[]
  /** Elements and element type of an array. */
  readonly array: { readonly type: number; readonly count: number } | undefined
  /** Of an integer. */
  readonly signed: boolean
  /** Of a function: 0 static, 1 global, 2 defined elsewhere. */
  readonly linkage: number
  /** Of a tag of a declaration: number of the member or parameter that it is about; -1: the declaration itself. */
  readonly component: number
}

export interface BtfMember {
  readonly name: string
  readonly type: number
  /** Offset in the struct. */
  readonly bitOffset?: number
  /** Bits of a bit field; 0: a member of whole bytes. */
  readonly bits?: number
}

// Kinds, Linux Documentation/bpf/btf.rst.
export const KIND_INT = 1
export const KIND_PTR = 2
const KIND_ARRAY = 3
export const KIND_STRUCT = 4
export const KIND_UNION = 5
export const KIND_ENUM = 6
const KIND_TYPEDEF = 8
const KIND_VOLATILE = 9
const KIND_CONST = 10
const KIND_RESTRICT = 11
export const KIND_FUNC = 12
export const KIND_FUNC_PROTO = 13
export const KIND_VAR = 14
export const KIND_DATASEC = 15
const KIND_FLOAT = 16
export const KIND_DECL_TAG = 17
const KIND_TYPE_TAG = 18
export const KIND_ENUM64 = 19
const INT_SIGNED = 1
const POINTER_BYTES = 8
/** References to other types may be this deep: a bound for malformed input that refers to itself. */
const DEPTH_MAX = 32

/** Types of a `.BTF` section. @throws VringError if it is malformed */
export class Btf {
  readonly types: readonly BtfType[]
  readonly #variables = new Map<string, BtfType>()
  readonly #tags = new Map<number, BtfType[]>()
  /** Types without an integer: what holds only these is not looked through again. */
  readonly #withoutIntegers = new Set<number>()

  constructor(section: Uint8Array) {
    try {
      this.types = parse(section)
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      throw new VringError('ERR_INVALID_ARGUMENT', '.BTF section is truncated', { field: '.BTF', cause })
    }
    for (const type of this.types) {
      if (type.kind === KIND_VAR) this.#variables.set(type.name, type)
      if (type.kind !== KIND_DECL_TAG) continue
      const tags = this.#tags.get(type.sizeOrType)
      if (tags === undefined) this.#tags.set(type.sizeOrType, [type])
      else tags.push(type)
    }
  }

  /** Tags of a declaration. */
  tagsOf(number: number): readonly BtfType[] {
    return this.#tags.get(number) ?? []
  }

  /** The variable of that name, or undefined. */
  variable(name: string): BtfType | undefined {
    return this.#variables.get(name)
  }

  /** A type in C: `struct flow`, `unsigned int`, `u64 *`. */
  describe(number: number, depth = 0): string {
    if (number === 0) return 'void'
    const { kind, name, sizeOrType, array } = this.type(number)
    if (depth === DEPTH_MAX) return '...'
    if (kind === KIND_PTR) return `${this.describe(sizeOrType, depth + 1)} *`
    if (array !== undefined) return `${this.describe(array.type, depth + 1)}[${array.count}]`
    if (kind === KIND_STRUCT) return `struct ${name === '' ? '(anonymous)' : name}`
    if (kind === KIND_UNION) return `union ${name === '' ? '(anonymous)' : name}`
    if (kind === KIND_ENUM || kind === KIND_ENUM64) return `enum ${name}`
    if (name !== '') return name
    return QUALIFIERS.has(kind) ? this.describe(sizeOrType, depth + 1) : `kind ${kind}`
  }

  type(number: number): BtfType {
    const type = this.types[number]
    if (number === 0 || type === undefined)
      throw refused('ERR_OUT_OF_RANGE', 'BTF type', number, `1 to ${this.types.length - 1}`)
    return type
  }

  /** The type without typedefs and qualifiers. */
  resolve(number: number): BtfType {
    let type = this.type(number)
    for (let depth = 0; QUALIFIERS.has(type.kind); depth++) {
      if (depth === DEPTH_MAX) throw refused('ERR_INVALID_ARGUMENT', `BTF type ${number}`, 'a loop', 'a type that ends')
      type = this.type(type.sizeOrType)
    }
    return type
  }

  /** No type at all, qualified or not. */
  isVoid(number: number): boolean {
    let at = number
    for (let depth = 0; at !== 0 && QUALIFIERS.has(this.type(at).kind); depth++) {
      if (depth === DEPTH_MAX) return false
      at = this.type(at).sizeOrType
    }
    return at === 0
  }

  /** Whether values of the type have a known size: neither functions nor what is only declared have one. */
  hasSize(number: number, depth = 0): boolean {
    if (depth === DEPTH_MAX || this.isVoid(number)) return false
    const { kind, array } = this.resolve(number)
    return kind === KIND_PTR || SIZED.has(kind) || (array !== undefined && this.hasSize(array.type, depth + 1))
  }

  /** Bytes of a value. */
  sizeOf(number: number, depth = 0): number {
    const type = this.resolve(number)
    if (depth === DEPTH_MAX) throw refused('ERR_INVALID_ARGUMENT', `BTF type ${number}`, 'a loop', 'a type that ends')
    if (type.kind === KIND_PTR) return POINTER_BYTES
    if (type.array !== undefined) return type.array.count * this.sizeOf(type.array.type, depth + 1)
    if (SIZED.has(type.kind)) return type.sizeOrType
    throw refused('ERR_INVALID_ARGUMENT', `BTF type ${number}: kind`, type.kind, 'a type with a size')
  }

  /** Integers and enums of a type, members and elements one by one, at most {@link INTEGER_FIELDS_MAX}; no bit fields. */
  integers(number: number): IntegerField[] {
    const found: IntegerField[] = []
    this.#addIntegers(number, '', 0, 0, found)
    return found
  }

  #addIntegers(number: number, path: string, offset: number, depth: number, found: IntegerField[]): void {
    if (depth === DEPTH_MAX || found.length >= INTEGER_FIELDS_MAX || this.#withoutIntegers.has(number)) return
    const before = found.length
    this.#addIntegersOf(number, path, offset, depth, found)
    if (found.length === before) this.#withoutIntegers.add(number)
  }

  #addIntegersOf(number: number, path: string, offset: number, depth: number, found: IntegerField[]): void {
    const { kind, array, members, sizeOrType: bytes, signed } = this.resolve(number)
    if (kind === KIND_INT || kind === KIND_ENUM || kind === KIND_ENUM64) {
      if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) found.push({ path, offset, bytes, signed })
      return
    }
    if (array !== undefined) {
      const step = this.sizeOf(array.type)
      for (let i = 0; i < array.count && found.length < INTEGER_FIELDS_MAX; i++) {
        const before = found.length
        this.#addIntegers(array.type, `${path}[${i}]`, offset + i * step, depth + 1, found)
        // Elements that hold no integer are all alike.
        if (found.length === before) return
      }
    }
    if (kind !== KIND_STRUCT && kind !== KIND_UNION) return
    for (const one of kind === KIND_UNION ? members.slice(0, 1) : members) {
      if (found.length >= INTEGER_FIELDS_MAX) return
      if (one.bits !== 0) continue
      const name = one.name === '' || path === '' ? `${path}${one.name}` : `${path}.${one.name}`
      this.#addIntegers(one.type, name, offset + (one.bitOffset ?? 0) / 8, depth + 1, found)
    }
  }

  /** The number that `__uint(name, number)` put into a map definition: elements of the array pointed to. */
  encodedNumber(number: number): number {
    const pointer = this.resolve(number)
    const array = pointer.kind === KIND_PTR ? this.resolve(pointer.sizeOrType).array : undefined
    if (array === undefined)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `BTF type ${number}`,
        `kind ${pointer.kind}`,
        'a pointer to an array (__uint)',
      )
    return array.count
  }

  /** The element type of an array. */
  elementOf(number: number): number {
    const { array, kind } = this.resolve(number)
    if (array === undefined) throw refused('ERR_INVALID_ARGUMENT', `BTF type ${number}: kind`, kind, 'an array')
    return array.type
  }

  /** The type that `__type(name, type)` put into a map definition: what the pointer points to. */
  pointee(number: number): number {
    const pointer = this.resolve(number)
    if (pointer.kind !== KIND_PTR)
      throw refused('ERR_INVALID_ARGUMENT', `BTF type ${number}: kind`, pointer.kind, 'a pointer (__type)')
    return pointer.sizeOrType
  }
}

const QUALIFIERS = new Set([KIND_TYPEDEF, KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_TYPE_TAG])
const SIZED = new Set([KIND_INT, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_ENUM64, KIND_FLOAT])

function parse(bytes: Uint8Array): BtfType[] {
  const section = new BtfSection(bytes)
  const { view } = section
  const types: BtfType[] = [
    { kind: 0, name: 'void', sizeOrType: 0, members: [], array: undefined, signed: false, linkage: 0, component: -1 },
  ]
  for (const { at, kind, count, entryBytes, info } of section.types()) {
    const body = at + TYPE_BYTES
    const hasMembers = kind === KIND_STRUCT || kind === KIND_UNION || kind === KIND_FUNC_PROTO
    types.push({
      kind,
      name: section.text(at),
      sizeOrType: view.getUint32(at + 8, true),
      members: hasMembers
        ? Array.from({ length: count }, (_, i) => ({
            name: section.text(body + i * entryBytes),
            type: view.getUint32(body + i * entryBytes + 4, true),
            ...(entryBytes === 12 ? placeOf(view.getUint32(body + i * entryBytes + 8, true), info) : {}),
          }))
        : [],
      array:
        kind === KIND_ARRAY ? { type: view.getUint32(body, true), count: view.getUint32(body + 8, true) } : undefined,
      signed: kind === KIND_INT && ((view.getUint32(body, true) >>> 24) & INT_SIGNED) !== 0,
      linkage: kind === KIND_FUNC ? count : 0,
      component: kind === KIND_DECL_TAG ? view.getInt32(body, true) : -1,
    })
  }
  return types
}

/** Where a member lies: where types have bit fields, the upper byte is their width. */
function placeOf(place: number, info: number): Pick<BtfMember, 'bitOffset' | 'bits'> {
  const hasBitFields = info >>> 31 === 1
  return { bitOffset: hasBitFields ? place & 0xffffff : place, bits: hasBitFields ? place >>> 24 : 0 }
}
