import { type Btf, type BtfType, KIND_ENUM, KIND_ENUM64, KIND_FUNC, KIND_INT, KIND_PTR, KIND_STRUCT } from './btf.ts'

/** An argument of a function, as BTF declares it. */
export interface DeclaredArgument {
  /** Its type in C. */
  readonly type: string
  readonly kind: 'number' | 'pointer' | 'other'
  /** Of a pointer to a structure the name of that; otherwise empty. */
  readonly structure: string
  /** Of a pointer the bytes of what it points to; undefined where the declaration does not tell. */
  readonly bytes: number | undefined
  /** What tags of the declaration say, `ctx` for `arg:ctx`: libbpf's `__arg_ctx`, `__arg_nonnull`, ... */
  readonly tags: readonly string[]
}

/** A function that is verified alone, by its declaration. */
export interface GlobalFunction {
  readonly name: string
  /** It returns an integer or an enumeration. */
  readonly returnsNumber: boolean
  readonly arguments: readonly DeclaredArgument[]
}

const LINKAGE_GLOBAL = 1
const TAG_PREFIX = 'arg:'

/**
 * The declaration of a global function; undefined for a static one. Source: Linux kernel/bpf/btf.c, btf_prepare_func_args.
 *
 * @param number BTF type of the function
 */
export function globalFunction(btf: Btf, number: number): GlobalFunction | undefined {
  const { kind, name, linkage, sizeOrType } = btf.type(number)
  if (kind !== KIND_FUNC || linkage !== LINKAGE_GLOBAL) return undefined
  const prototype = btf.type(sizeOrType)
  const tags = btf.tagsOf(number)
  return {
    name,
    returnsNumber: prototype.sizeOrType !== 0 && isNumber(btf.resolve(prototype.sizeOrType)),
    arguments: prototype.members.map(({ type }, index) => ({
      type: btf.describe(type),
      ...kindOf(btf, type),
      tags: tags
        .filter((one) => one.component === index && one.name.startsWith(TAG_PREFIX))
        .map((one) => one.name.slice(TAG_PREFIX.length)),
    })),
  }
}

function kindOf(btf: Btf, number: number): Pick<DeclaredArgument, 'kind' | 'structure' | 'bytes'> {
  const none = { structure: '', bytes: undefined }
  // The end of a list of any length is a parameter of no type.
  if (number === 0) return { kind: 'other', ...none }
  const type = btf.resolve(number)
  if (type.kind !== KIND_PTR) return { kind: isNumber(type) ? 'number' : 'other', ...none }
  if (btf.isVoid(type.sizeOrType)) return { kind: 'pointer', ...none }
  const pointee = btf.resolve(type.sizeOrType)
  return {
    kind: 'pointer',
    structure: pointee.kind === KIND_STRUCT ? pointee.name : '',
    bytes: btf.hasSize(type.sizeOrType) ? btf.sizeOf(type.sizeOrType) : undefined,
  }
}

function isNumber({ kind }: BtfType): boolean {
  return kind === KIND_INT || kind === KIND_ENUM || kind === KIND_ENUM64
}
