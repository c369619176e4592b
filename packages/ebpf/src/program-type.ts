import type { Helper } from './helpers/helper.ts'
import type { HookContext } from './runtime/machine.ts'

/**
 * A field of the structure that r1 points to, loaded whole. Packet roles give pointers to the start of the packet, its
 * end, and the start of the metadata before it. Their values are byte offsets into `u8` of the context.
 */
export interface ContextField {
  /** Byte offset in the structure. */
  readonly offset: number
  readonly bytes: 1 | 2 | 4
  readonly role: 'packet' | 'packet-end' | 'packet-meta' | 'number'
  /** Property of the context object that holds it: an unsigned 32-bit number. */
  readonly property: string
}

/**
 * What r1 and r2 hold at entry. `context`: r1 is a structure of fields. `memory`: r1 is `bytes` of readable and writable
 * memory, `u8` of the context from `data` on, and r2 their number.
 */
export type ProgramEntry =
  | {
      readonly kind: 'context'
      readonly fields: readonly ContextField[]
      /** Name of the structure in C: global functions that take a pointer to one take the context. */
      readonly structure?: string
    }
  | { readonly kind: 'memory'; readonly bytes: number }

/** A kind of program: what it is given, what it may call, which sections of an object hold it. */
export interface ProgramType<C extends HookContext = HookContext> {
  readonly name: string
  /** Number in the kernel, enum bpf_prog_type; 0: it has none. */
  readonly number: number
  readonly entry: ProgramEntry
  readonly helpers: ReadonlyMap<number, Helper<C>>
  /** Does a section of this name hold programs of this type? */
  ownsSection(section: string): boolean
}
