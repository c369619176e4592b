import { helpText } from '@vring/cli'
import { isVringError } from '@vring/layout'
import { OPTIONS, readArguments } from './arguments.ts'
import { resolveConfig } from './config.ts'
import { runDaemon } from './daemon.ts'
import { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_USAGE } from './exit-codes.ts'
import { latencyCommand } from './latency-command.ts'
import { activatedSocket, capabilities } from './launch.ts'
import { createLog } from './log.ts'
import { ServeError } from './serve-error.ts'
import { version } from './version.ts'

/**
 * Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again; `latency` measures instead.
 *
 * @param rawArgs arguments after the program's name
 * @returns the exit code; what went wrong is one line on standard error
 */
export async function main(rawArgs: readonly string[]): Promise<number> {
  try {
    if (rawArgs.includes('--print-capabilities')) {
      process.stdout.write(capabilities())
      return EXIT_OK
    }
    if (rawArgs.includes('--version')) {
      process.stdout.write(`${version}\n`)
      return EXIT_OK
    }
    if (rawArgs[0] === 'latency') {
      process.stdout.write(await latencyCommand(rawArgs.slice(1)))
      return EXIT_OK
    }
    if (rawArgs.length === 0 || rawArgs.includes('--help') || rawArgs.includes('-h')) {
      process.stdout.write(usage())
      return rawArgs.length === 0 ? EXIT_USAGE : EXIT_OK
    }
    const given = readArguments(rawArgs)
    const config = await resolveConfig(given, activatedSocket(process.env, process.pid))
    const log = createLog(config.log, (text) => process.stderr.write(text))
    const stop = new AbortController()
    const onSignal = (): void => stop.abort()
    process.once('SIGTERM', onSignal)
    process.once('SIGINT', onSignal)
    try {
      await runDaemon(config, stop.signal, log, {
        env: process.env,
        ...(given.config === undefined ? {} : { reread: () => resolveConfig(given) }),
        onReload: (reload) => {
          process.on('SIGHUP', reload)
          return () => process.off('SIGHUP', reload)
        },
      })
    } finally {
      process.off('SIGTERM', onSignal)
      process.off('SIGINT', onSignal)
    }
    return EXIT_OK
  } catch (error) {
    return report(error)
  }
}

/** What ends the program is said in every format. */
function say(line: string): void {
  process.stderr.write(`vring-serve: ${line}\n`)
}

function report(error: unknown): number {
  if (error instanceof ServeError && error.exitCode !== EXIT_INTERNAL) {
    say(error.message)
    return error.exitCode
  }
  const known = error instanceof ServeError || isVringError(error)
  say(known ? error.message : `internal error: ${error instanceof Error ? error.stack : String(error)}`)
  return isVringError(error) && error.code === 'ERR_MISSING_PEER' ? EXIT_MISSING : EXIT_INTERNAL
}

function usage(): string {
  return helpText({
    name: 'vring-serve',
    description: 'A vhost-user network device: attaches DPDK or QEMU to a TAP, AF_XDP, a capture or a program.',
    options: { ...OPTIONS, version: { type: 'boolean', description: 'Print the version' } },
    commands: { latency: 'Time single frames through the daemon' },
    after:
      'Exit codes: 0 ended by a signal; 1 internal error; 2 unusable arguments; 4 something is missing; 75 may pass by itself.',
  })
}
