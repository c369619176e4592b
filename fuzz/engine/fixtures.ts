import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Files of a folder of the repository, in whose root the process runs, as inputs to begin with. */
export function fixturesOf(folder: string, ending: string, maxBytes: number): Uint8Array[] {
  const path = join(process.cwd(), folder)
  return readdirSync(path)
    .filter((name) => name.endsWith(ending))
    .map((name) => new Uint8Array(readFileSync(join(path, name))))
    .filter(({ length }) => length <= maxBytes)
}
