import { writeFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { helpText } from '@vring/cli'
import { isVringError } from '@vring/layout'
import { unsupportedHost } from '@vring/linux'
import { type JudgeArguments, OPTIONS, readArguments } from './arguments.ts'
import { EXIT_FAILED, EXIT_INTERNAL, EXIT_OK, EXIT_USAGE } from './exit-codes.ts'
import { type CaseResult, judge, type Result } from './judge.ts'
import { JudgeError, missingError, usageError } from './judge-error.ts'
import { jsonReport } from './report/json.ts'
import { junitReport } from './report/junit.ts'
import { hasFailedMust } from './report/summary.ts'
import { type Paint, resultLine, summaryTable } from './report/terminal.ts'
import { selectCases } from './select-cases.ts'
import { Target } from './target.ts'
import { version } from './version.ts'

/**
 * Judges a back-end and reports.
 *
 * @param rawArgs arguments after the program's name
 * @returns the exit code; what went wrong is one line on standard error
 */
export async function main(rawArgs: readonly string[]): Promise<number> {
  try {
    if (rawArgs.includes('--version')) {
      process.stdout.write(`${version}\n`)
      return EXIT_OK
    }
    if (rawArgs.length === 0 || rawArgs.includes('--help') || rawArgs.includes('-h')) {
      process.stdout.write(usage())
      return rawArgs.length === 0 ? EXIT_USAGE : EXIT_OK
    }
    const given = readArguments(rawArgs)
    if (given.list) {
      for (const { id, level, clause, title } of selectCases(given.only))
        process.stdout.write(`${id}\t${level}\t${clause}\t${title}\n`)
      return EXIT_OK
    }
    return await run(given)
  } catch (error) {
    return report(error)
  }
}

async function run(given: JudgeArguments): Promise<number> {
  const cases = selectCases(given.only)
  const unsupported = unsupportedHost()
  if (unsupported !== null) throw missingError(unsupported)
  const target = new Target({ socket: given.socket!, spawn: given.spawn, patienceMs: given.patienceMs })
  try {
    await target.start()
    // A report on standard output has it for itself.
    const out = given.json === '-' || given.junit === '-' ? process.stderr : process.stdout
    const paint = painter(out)
    const onResult = (result: CaseResult): void => {
      if (!given.quiet || result.result === 'fail') out.write(`${resultLine(result, paint)}\n`)
    }
    const judgement = await judge({ target, device: given.device, cases, onResult })
    out.write(`${summaryTable(judgement)}\n`)
    if (given.json !== null) writeReport('--json', given.json, jsonReport(judgement, version))
    if (given.junit !== null) writeReport('--junit', given.junit, junitReport(judgement))
    return hasFailedMust(judgement) ? EXIT_FAILED : EXIT_OK
  } finally {
    await target.close()
  }
}

function writeReport(option: string, file: string, text: string): void {
  if (file === '-') process.stdout.write(text)
  else
    try {
      writeFileSync(file, text)
    } catch (error) {
      throw usageError(`${option} ${file}`, (error as Error).message)
    }
}

const STYLES = { pass: 'green', fail: 'red', skip: 'yellow' } as const satisfies Record<Result, string>

/** In colour on a terminal that shows it and where NO_COLOR does not refuse. */
function painter(out: NodeJS.WriteStream): Paint {
  const coloured = out.isTTY === true && out.hasColors()
  return (result, text) => (coloured ? styleText(STYLES[result], text) : text)
}

function usage(): string {
  return helpText({
    name: 'vhost-user-conformance',
    description: 'Judges a vhost-user back-end as its front-end, clause by clause.',
    options: { ...OPTIONS, version: { type: 'boolean', description: 'Print the version' } },
    after:
      'Exit codes: 0 no case of level MUST failed; 1 internal error; 2 unusable arguments; 3 a case of level MUST failed; ' +
      '4 no back-end to judge.',
  })
}

function report(error: unknown): number {
  const say = (line: string): void => void process.stderr.write(`vhost-user-conformance: ${line}\n`)
  if (error instanceof JudgeError) {
    say(error.message)
    return error.exitCode
  }
  say(isVringError(error) ? error.message : `internal error: ${error instanceof Error ? error.stack : String(error)}`)
  return EXIT_INTERNAL
}
