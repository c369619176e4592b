import { isMainThread } from 'node:worker_threads'
import { helpText } from '@vring/cli'
import { isVringError } from '@vring/layout'
import { whereItStands } from '@vring/linux'
import { didYouMean, readArguments } from './arguments.ts'
import { BenchError, usageError } from './bench-error.ts'
import { commands } from './commands/index.ts'
import { patienceOf } from './commands/shared-args.ts'
import { KIT_LIMIT_MS } from './conformance/examine-plugin.ts'
import { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_USAGE } from './exit-codes.ts'
import type { CommandEnd, CommandRequest } from './plugin-code/command.ts'
import { runPluginCode } from './plugin-code/run-plugin-code.ts'
import { STDOUT, writeOutput } from './terminal/output.ts'
import { version } from './version.ts'

/** Where lines for people go: standard error. */
type Say = (text: string) => void

/**
 * Runs one command.
 *
 * @param rawArgs arguments after the program's name
 * @returns the exit code; what went wrong is one line on standard error
 */
export function main(rawArgs: readonly string[]): Promise<number> {
  return runCommand(rawArgs, (text) => void process.stderr.write(text))
}

/** {@link main}, with another place for what goes to standard error. */
export async function runCommand(rawArgs: readonly string[], say: Say): Promise<number> {
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
      if (name.startsWith('-'))
        throw usageError(name, `stands before the command; accepted: vring-bench run ${name} ...`)
      throw usageError(name, `unknown command; accepted: ${names.join(', ')}${didYouMean(name, names)}`)
    }
    if (rest.includes('--help') || rest.includes('-h')) {
      writeUsage(helpText({ name: `vring-bench ${name}`, description: command.description, options: command.args }))
      return EXIT_OK
    }
    const args = readArguments(command.args, rest)
    if (command.runsPlugins === true && args.all('plugin').length > 0 && isMainThread)
      return await runWatchedCommand(rawArgs, patienceOf(args, KIT_LIMIT_MS), say)
    return await command.run(args, [name, ...rest])
  } catch (error) {
    return report(error, say)
  }
}

function writeUsage(text: string): void {
  writeOutput('', STDOUT, text)
}

/** The same command in a process of its own, where a plugin that never returns is ended. */
async function runWatchedCommand(rawArgs: readonly string[], limitMs: number, say: Say): Promise<number> {
  const { isTTY = false, columns } = process.stdout
  const request: CommandRequest = { rawArgs, terminal: { isTTY, columns } }
  const end = await runPluginCode('command', request, { limitMs, stdout: 'inherit' })
  if (end.kind === 'returned') {
    const { code, said } = end.value as CommandEnd
    say(said)
    return code
  }
  if (end.kind === 'threw') throw new Error(end.error)
  if (end.kind === 'ended') throw usageError('--plugin', `${end.how}; accepted: a plugin that comes to its end`)
  const late = `no answer within ${Math.round(limitMs / 1000)} s: it ${whereItStands(end)}`
  throw usageError('--plugin', `${late}; accepted: a plugin that comes to its end, or more --patience-ms`)
}

function report(error: unknown, say: Say): number {
  if (error instanceof BenchError) {
    say(`vring-bench: ${error.message}\n`)
    return error.exitCode
  }
  if (isVringError(error) && USAGE_CODES.has(error.code)) {
    say(`vring-bench: ${error.message}\n`)
    return EXIT_USAGE
  }
  if (isVringError(error) && error.code === 'ERR_MISSING_PEER') {
    say(`vring-bench: ${error.message}\n`)
    return EXIT_MISSING
  }
  say(`vring-bench: internal error: ${error instanceof Error ? error.stack : String(error)}\n`)
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
    after:
      'vring-bench COMMAND --help describes a command. Exit codes: 0 done; 1 internal error, or every cell failed; ' +
      '2 unusable arguments; 3 a hash, a claim, a case or a comparison failed; 4 a peer or privilege is missing; 130 Ctrl-C.',
  })
}
