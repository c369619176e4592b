import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The inputs of a folder, the shortest first. */
export function readCorpus(folder: string): Uint8Array[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(folder, name))))
    .sort((a, b) => a.length - b.length)
}

/** Leaves these inputs in a folder and no others. */
export function replaceCorpus(folder: string, inputs: readonly Uint8Array[]): void {
  rmSync(folder, { recursive: true, force: true })
  for (const input of inputs) writeInput(folder, input)
}

/** The name that an input has in a folder: of its content. */
export function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 16)
}

/** Writes an input under a name that its content gives; returns its path. */
export function writeInput(folder: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, nameOf(input))
  writeFileSync(file, input)
  return file
}
