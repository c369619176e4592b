import remapping, { type SourceMapInput } from '@jridgewell/remapping'
import { parse, type VariableDeclaration } from 'acorn'
import { walk } from 'estree-walker'
import MagicString from 'magic-string'
import type { Options } from 'tsup'
import { withoutComments } from './without-comments.ts'

type EstreeNode = Parameters<typeof walk>[0]
type TsupPlugin = NonNullable<Options['plugins']>[number]

/**
 * Gives a bundle's top-level bindings their `const` back, which esbuild makes `var` of. V8 treats what a `const` holds as a
 * constant of the code that it compiles: of a typed array it then knows address and length, and neither is loaded in a loop.
 * Comments go in the same pass.
 */
export function constBindings(): TsupPlugin {
  return {
    name: 'const-bindings',
    renderChunk(code, chunk) {
      if (chunk.type !== 'chunk') return undefined
      const edited = withoutComments(code, constBindingsOf(code))
      const map = edited.generateMap({ hires: 'boundary' })
      // tsup's own way of joining the two maps keeps the chunk as a source, with its path on this machine.
      if (chunk.map) chunk.map = remapping([map.toString(), chunk.map as SourceMapInput], () => null).toString()
      return { code: edited.toString() }
    },
  }
}

/** The module with `const` for each top-level `var` that has a value from the beginning and is never assigned to. */
export function constBindingsOf(code: string): MagicString {
  const program = parse(code, { ecmaVersion: 'latest', sourceType: 'module' })
  const assigned = assignedNames(program as EstreeNode)
  const edited = new MagicString(code)
  for (const statement of program.body)
    if (statement.type === 'VariableDeclaration' && statement.kind === 'var') redeclare(edited, statement, assigned)
  return edited
}

/** One declaration for each run of bindings of a kind. */
function redeclare(edited: MagicString, { start, declarations }: VariableDeclaration, assigned: Set<string>): void {
  let kind = ''
  let end = start + 'var '.length
  for (const declarator of declarations) {
    const { id, init } = declarator
    const next = init != null && id.type === 'Identifier' && !assigned.has(id.name) ? 'const' : 'var'
    if (kind === '') edited.overwrite(start, declarator.start, `${next} `)
    else if (next !== kind) edited.overwrite(end, declarator.start, `;\n${next} `)
    kind = next
    end = declarator.end
  }
}

/** Every name that is assigned to in any scope: an inner variable of the same name only leaves the outer one a `var`. */
function assignedNames(program: EstreeNode): Set<string> {
  const names = new Set<string>()
  walk(program, {
    enter(node) {
      if (node.type === 'AssignmentExpression') addNames(node.left, names)
      else if (node.type === 'UpdateExpression') addNames(node.argument, names)
      else if (node.type === 'ForOfStatement' || node.type === 'ForInStatement') addNames(node.left, names)
    },
  })
  return names
}

/**
 * Names that a target of an assignment binds, and those that its defaults mention; a property's object is not assigned
 * to.
 */
function addNames(target: EstreeNode, names: Set<string>): void {
  walk(target, {
    enter(node) {
      if (node.type === 'Identifier') names.add(node.name)
      else if (node.type === 'MemberExpression') this.skip()
    },
  })
}
