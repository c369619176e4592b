import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/**
 * Removes the declarations that no export of a package reaches: tsc writes one for each source file, and what only code
 * imports would be installed for nothing. Runs in the folder of the package, after tsc.
 */
const DIST = 'dist'
const IMPORT = /\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)\.(?:js|ts)['"]/g

/** Declarations that `exports` names, by their path in {@link DIST}. */
function declared(exports: unknown): string[] {
  if (typeof exports === 'string') return exports.endsWith('.d.ts') ? [relative(DIST, exports)] : []
  return Object.values(exports ?? {}).flatMap(declared)
}

function reachedFrom(entries: readonly string[]): Set<string> {
  const reached = new Set(entries)
  for (const file of reached) {
    const imports = readFileSync(join(DIST, file), 'utf8').matchAll(IMPORT)
    for (const [, path] of imports) reached.add(join(dirname(file), `${path}.d.ts`))
  }
  return reached
}

const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports?: unknown }
const entries = declared(exports)
if (entries.length > 0) {
  const reached = reachedFrom(entries)
  const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.d.ts'))
  for (const file of files) if (!reached.has(file)) rmSync(join(DIST, file))
}
