import { helpText } from '@vring/cli'
import { isVringError } from '@vring/layout'
import { didYouMean, readArguments } from './arguments.ts'
import { BenchError, usageError } from './bench-error.ts'
import { commands } from './commands/index.ts'
import { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_USAGE } from './exit-codes.ts'
import { STDOUT, writeOutput } from './output.ts'
import { version } from './version.ts'

/**
 * Runs one command.
 *
 * @param rawArgs arguments after the program's name
 * @returns the exit code; what went wrong is one line on standard error
 */
export async function main(rawArgs: readonly string[]): Promise<number> {
  const [name, ...rest] = rawArgs
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      writeUsage(programHelp())
      return name === undefined ? EXIT_USAGE : EXIT_OK
    }
    if (name === '--version') {
      writeOutput('', STDOUT, version)
      return EXIT_OK
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) {
      const names = Object.keys(commands)
      throw usageError(name, `unknown command; accepted: ${names.join(', ')}${didYouMean(name, names)}`)
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      writeUsage(helpText({ name: `vring-bench ${name}`, description: command.description, options: command.args }))
      return EXIT_OK
    }
    return await command.run(readArguments(command.args, rest), [name, ...rest])
  } catch (error) {
    return report(error)
  }
}

function writeUsage(text: string): void {
  writeOutput('', STDOUT, text)
}

function report(error: unknown): number {
  if (error instanceof BenchError) {
    process.stderr.write(`vring-bench: ${error.message}\n`)
    return error.exitCode
  }
  if (isVringError(error) && USAGE_CODES.has(error.code)) {
    process.stderr.write(`vring-bench: ${error.message}\n`)
    return EXIT_USAGE
  }
  if (isVringError(error) && error.code === 'ERR_MISSING_PEER') {
    process.stderr.write(`vring-bench: ${error.message}\n`)
    return EXIT_MISSING
  }
  process.stderr.write(`vring-bench: internal error: ${error instanceof Error ? error.stack : String(error)}\n`)
  return EXIT_INTERNAL
}

/** Refusals of what the user asked for, wherever they were found. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'ERR_UNKNOWN_NAME',
  'ERR_INVALID_PLUGIN',
  'ERR_UNSUPPORTED',
  'ERR_OVERLAP',
])

function programHelp(): string {
  return helpText({
    name: 'vring-bench',
    description: 'What each way of reaching virtqueue metadata costs',
    options: { version: { type: 'boolean', description: 'print the version' } },
    commands: Object.fromEntries(Object.entries(commands).map(([name, { description }]) => [name, description])),
    after: 'vring-bench COMMAND --help describes a command.',
  })
}
