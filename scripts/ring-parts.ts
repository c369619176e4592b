import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { isTestFile } from './imports.ts'

/** The files of `layout` that say where the parts of a ring are. */
const FORMATS = ['split-ring.ts', 'packed-ring.ts'].map((file) => `packages/layout/src/${file}`)
/** What they export that names a whole ring, and none of its parts. */
const WHOLE = new Set(['splitRingAreas', 'packedRingAreas', 'checkQueueSize', 'checkPackedQueueSize', 'QUEUE_SIZE_MAX'])
/** Indices that free-run through a ring, by the names that they have here. */
const INDICES = ['availIdx', 'usedIdx', 'nextAvail', 'nextUsed']

/** Where a ring's parts are defined and used. */
const RING_OWNERS: readonly string[] = ['packages/layout/', 'packages/virtqueue/']

/** What draws rings, and what drives or attacks them as a driver does: it can't but name their parts. */
export const RING_DRIVERS: readonly string[] = [
  'apps/bench/src/in-process/',
  'apps/bench/src/lines/',
  'apps/playground/src/machine/',
  'apps/playground/src/ring/',
  'apps/vhost-user-conformance/src/cases/',
  'apps/vhost-user-conformance/src/driver/',
  'packages/conformance/src/cases/ring-',
  'packages/explorer/src/scenarios/ring-',
  'packages/speculation/src/hostile-rings',
  'packages/speculation/src/packed-hostile-rings.ts',
]

/** The names of a ring's parts: offsets, sizes and flags of both formats, and indices. */
export function ringPartNames(root: string): Set<string> {
  const names = FORMATS.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name!),
  )
  return new Set([...names.filter((name) => !WHOLE.has(name)), ...INDICES])
}

/** A source file that names parts of a ring. */
export interface RingFile {
  /** Relative to the repository. */
  readonly file: string
  /** The parts that it names, sorted. */
  readonly parts: readonly string[]
}

/** Source files of packages and apps that name parts of a ring, but for owners and drivers; tests don't count. */
export function ringFiles(root: string): RingFile[] {
  const names = ringPartNames(root)
  return ['packages', 'apps']
    .flatMap((group) => readdirSync(join(root, group)).map((one) => `${group}/${one}/src`))
    .flatMap((folder) => sourcesIn(root, folder))
    .filter((file) => ![...RING_OWNERS, ...RING_DRIVERS].some((prefix) => file.startsWith(prefix)))
    .map((file) => ({ file, parts: identifiersOf(readFileSync(join(root, file), 'utf8'), names) }))
    .filter(({ parts }) => parts.length > 0)
}

function sourcesIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((file) => file.endsWith('.ts') && !isTestFile(file))
    .sort()
}

/** Which of the names stand in the code, comments and strings left out. */
export function identifiersOf(text: string, names: ReadonlySet<string>): string[] {
  const found = new Set<string>()
  const scan = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && names.has(node.text)) found.add(node.text)
    ts.forEachChild(node, scan)
  }
  scan(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest))
  return [...found].sort()
}
