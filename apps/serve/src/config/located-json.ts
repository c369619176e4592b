import { type AnyNode, type DocumentNode, evaluate, iterator, parse, tokenize } from '@humanwhocodes/momoa'
import { usageError } from '../serve-error.ts'

/** JSON of a file that says where each of its values stands. */
export class LocatedJson {
  readonly value: unknown
  readonly #document: DocumentNode
  readonly #path: string

  /**
   * @param text JSON, with or without a byte order mark
   * @param path for messages
   * @throws ServeError with exit code 2 that names line and column: no JSON, or a name that is given twice
   */
  constructor(text: string, path: string) {
    this.#path = path
    const content = text.replace(/^\uFEFF/, '')
    try {
      this.#document = parse(content, { mode: 'json' })
    } catch (error) {
      const { line, column, offset } = error as ParseError
      throw usageError(
        `--config: ${path}:${line}:${column}`,
        `is no JSON: ${whyNot(error as ParseError, content, offset)}`,
      )
    }
    this.value = evaluate(this.#document)
    for (const one of iterator(this.#document)) {
      const node = one.node as AnyNode
      if (node.type !== 'Object') continue
      const seen = new Set<string>()
      for (const member of node.members) {
        const name = nameOf(member)
        if (seen.has(name)) throw usageError(`--config: ${this.#at(member)}`, `${name} is given twice`)
        seen.add(name)
      }
    }
  }

  /** `FILE:LINE:COLUMN` of a member or an element, or of the innermost around it that is there. */
  place(names: readonly PropertyKey[]): string {
    let at: AnyNode = this.#document.body
    let value: AnyNode = at
    for (const name of names) {
      const next: AnyNode | undefined =
        value.type === 'Object'
          ? value.members.find((member) => nameOf(member) === name)
          : value.type === 'Array'
            ? value.elements[Number(name)]
            : undefined
      if (next === undefined || (next.type !== 'Member' && next.type !== 'Element')) break
      at = next
      value = next.value
    }
    return this.#at(at)
  }

  #at({ loc }: AnyNode): string {
    return `${this.#path}:${loc.start.line}:${loc.start.column}`
  }
}

type ParseError = Error & { readonly line: number; readonly column: number; readonly offset: number }

function nameOf({ name }: Extract<AnyNode, { type: 'Member' }>): string {
  return name.type === 'String' ? name.value : name.name
}

/** Of a file that ends too early the last of its words is blamed: that is said otherwise. */
function whyNot({ message }: ParseError, content: string, offset: number): string {
  if (!/^Unexpected (token|character|identifier)/.test(message) || endsAt(content, offset)) return 'it ends too early'
  return `unexpected ${JSON.stringify(/^(\w+|.)/s.exec(content.slice(offset))?.[0] ?? '')}`
}

function endsAt(content: string, offset: number): boolean {
  try {
    const rest = tokenize(content.slice(offset), { mode: 'json' })
    return rest.length === 1 && !/^R/.test(rest[0]!.type)
  } catch {
    return false
  }
}
