import { stripVTControlCharacters } from 'node:util'
import { isVringError } from '@vring/layout'
import { type ArgsDef, type CommandDef, defineCommand, renderUsage } from 'citty'
import { OPTIONS, readArguments } from './arguments.ts'
import { resolveConfig } from './config.ts'
import { runDaemon } from './daemon.ts'
import { EXIT_INTERNAL, EXIT_OK, EXIT_USAGE } from './exit-codes.ts'
import { latencyCommand } from './latency-command.ts'
import { ServeError } from './serve-error.ts'
import { version } from './version.ts'

/**
 * Serves until SIGTERM or SIGINT; `latency` measures instead.
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
    if (rawArgs[0] === 'latency') {
      process.stdout.write(await latencyCommand(rawArgs.slice(1)))
      return EXIT_OK
    }
    if (rawArgs.length === 0 || rawArgs.includes('--help') || rawArgs.includes('-h')) {
      await writeUsage()
      return rawArgs.length === 0 ? EXIT_USAGE : EXIT_OK
    }
    const config = await resolveConfig(readArguments(rawArgs))
    const stop = new AbortController()
    const onSignal = (): void => stop.abort()
    process.once('SIGTERM', onSignal)
    process.once('SIGINT', onSignal)
    try {
      await runDaemon(config, stop.signal, log)
    } finally {
      process.off('SIGTERM', onSignal)
      process.off('SIGINT', onSignal)
    }
    return EXIT_OK
  } catch (error) {
    return report(error)
  }
}

/** In colour on a terminal that shows it and where NO_COLOR does not refuse: citty colours what goes to a file as well. */
async function writeUsage(): Promise<void> {
  const usage = await renderUsage(describe())
  const coloured = process.stdout.isTTY === true && process.stdout.hasColors()
  process.stdout.write(`${coloured ? usage : stripVTControlCharacters(usage)}\n`)
}

function log(line: string): void {
  process.stderr.write(`vring-serve: ${line}\n`)
}

function report(error: unknown): number {
  if (error instanceof ServeError && error.exitCode !== EXIT_INTERNAL) {
    log(error.message)
    return error.exitCode
  }
  const known = error instanceof ServeError || isVringError(error)
  log(known ? error.message : `internal error: ${error instanceof Error ? error.stack : String(error)}`)
  return EXIT_INTERNAL
}

function describe(): CommandDef<ArgsDef> {
  return defineCommand({
    meta: {
      name: 'vring-serve',
      version,
      description:
        'A vhost-user network device: attaches DPDK or QEMU to a TAP, AF_XDP, a capture or a program. Another command: vring-serve latency',
    },
    args: OPTIONS as ArgsDef,
  })
}
