import { check } from './check.ts'
import type { BenchCommand } from './command.ts'
import { compare } from './compare.ts'
import { conformance } from './conformance.ts'
import { cores } from './cores.ts'
import { explain } from './explain.ts'
import { explore } from './explore.ts'
import { merge } from './merge.ts'
import { model } from './model.ts'
import { plugins } from './plugins.ts'
import { report } from './report.ts'
import { run } from './run.ts'
import { speculate } from './speculate.ts'
import { steps } from './steps.ts'

export type { BenchCommand } from './command.ts'

/** All commands by name. */
export const commands: Readonly<Record<string, BenchCommand>> = {
  run,
  cores,
  explain,
  steps,
  model,
  explore,
  speculate,
  compare,
  check,
  merge,
  report,
  plugins,
  conformance,
}
