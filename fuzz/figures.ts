import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../scripts/workspace.ts'
import type { FuzzTarget } from './engine/target.ts'
import { TARGETS } from './targets.ts'

const FILE = join(repositoryRoot, 'fuzz/figures.json')

/** What one run of a target did. */
export interface TargetFigures {
  readonly executions: number
  readonly operations: number
  readonly edges: number
  /** Inputs of the corpus. */
  readonly inputs: number
}

/** What was kept of the last run with `--figures`, by target. */
export interface FuzzFigures {
  /** What was run. */
  readonly command: string
  readonly targets: Readonly<Record<string, TargetFigures>>
}

export function readFigures(): FuzzFigures {
  return JSON.parse(readFileSync(FILE, 'utf8')) as FuzzFigures
}

/** Keeps figures of targets; those of others stay. */
export function keepFigures({ command, targets }: FuzzFigures): void {
  const all: FuzzFigures = { command, targets: { ...readFigures().targets, ...targets } }
  writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`)
}

/** All targets, in the order of their list. */
export function readTargets(): Promise<readonly FuzzTarget[]> {
  return Promise.all(
    TARGETS.map(async (name) => ((await import(`./targets/${name}.ts`)) as { target: FuzzTarget }).target),
  )
}
