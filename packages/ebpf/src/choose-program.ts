import { refused } from '@vring/layout'
import type { EbpfObject, ObjectProgram } from './object/read-object.ts'

/** What tells the programs of a type from others in an object. */
export interface ProgramSections {
  readonly name: string
  ownsSection(section: string): boolean
}

/**
 * The program of that name or section; without a name the only one in a section of the type.
 *
 * @throws VringError ERR_UNKNOWN_NAME
 */
export function chooseProgram(
  { programs }: EbpfObject,
  type: ProgramSections,
  wanted: string | undefined,
): ObjectProgram {
  const candidates = programs.filter(({ section }) => type.ownsSection(section))
  const found =
    wanted === undefined
      ? candidates
      : firstFound(
          candidates.filter(({ name }) => name === wanted),
          candidates.filter(({ section }) => section === wanted),
          // In a section of another name: asked for by name, it is taken.
          programs.filter(({ name }) => name === wanted),
        )
  if (found.length === 1) return found[0]!
  const names = candidates.map(({ name }) => name).join(', ')
  throw refused(
    'ERR_UNKNOWN_NAME',
    'program',
    wanted ?? 'not given',
    names === '' ? `none: the object has no ${type.name} program` : `one of ${names}`,
  )
}

function firstFound<T>(...lists: readonly (readonly T[])[]): readonly T[] {
  return lists.find(({ length }) => length > 0) ?? []
}
