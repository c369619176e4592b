import { helpText } from '@vring/cli'
import { isVringError } from '@vring/layout'
import { blockCommand } from './block/block-command.ts'
import { OPTIONS, readArguments } from './config/arguments.ts'
import { resolveConfig } from './config/config.ts'
import { runDaemon } from './daemon/daemon.ts'
import { activatedSocket, capabilities } from './daemon/launch.ts'
import { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_USAGE } from './exit-codes.ts'
import { latencyCommand } from './latency/latency-command.ts'
import { LineWriter } from './log/line-writer.ts'
import { createLog, type LogLine } from './log/log.ts'
import { ServeError } from './serve-error.ts'
import { version } from './version.ts'

const STANDARD_ERROR = 2
/** Signals that end the daemon, with everything given back; SIGHUP where it has no configuration to read again. */
const ENDING = ['SIGTERM', 'SIGINT'] as const

/**
 * Serves until SIGTERM or SIGINT; SIGHUP reads `--config` again, or ends it without one; `block` serves a file, `latency` measures instead.
 *
 * @param rawArgs arguments after the program's name
 * @returns the exit code; what went wrong is one line on standard error
 */
export async function main(rawArgs: readonly string[]): Promise<number> {
  // Without a listener Node opens a debugger for every process that can reach the port.
  process.on('SIGUSR1', ignore)
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
    if (rawArgs[0] === 'block') return await serveBlock(rawArgs.slice(1))
    if (rawArgs.length === 0 || rawArgs[0] === 'help' || rawArgs.includes('--help') || rawArgs.includes('-h')) {
      process.stdout.write(usage())
      return rawArgs.length === 0 ? EXIT_USAGE : EXIT_OK
    }
    const given = readArguments(rawArgs, Object.keys(COMMANDS))
    const activated = activatedSocket(process.env, process.pid)
    const config = await resolveConfig(given, activated)
    const log = createLog(config.log, (line) => stderrLines().write(line))
    const stop = new AbortController()
    const onSignal = (): void => stop.abort()
    // Not once: a second signal does not end the process before it has given everything back.
    const ending: readonly NodeJS.Signals[] = given.config === undefined ? [...ENDING, 'SIGHUP'] : ENDING
    for (const signal of ending) process.on(signal, onSignal)
    try {
      await runDaemon(config, stop.signal, log, {
        env: process.env,
        ...(given.config === undefined ? {} : { reread: () => resolveConfig(given, activated), onReload: onHangUp }),
      })
    } finally {
      for (const signal of ending) process.off(signal, onSignal)
    }
    return EXIT_OK
  } catch (error) {
    return report(error)
  } finally {
    lines?.end()
    process.off('SIGUSR1', ignore)
  }
}

let lines: LineWriter | null = null

function stderrLines(): LineWriter {
  lines ??= new LineWriter(STANDARD_ERROR)
  return lines
}

/** `vring-serve block`, until a signal. */
async function serveBlock(rawArgs: readonly string[]): Promise<number> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  const ending: readonly NodeJS.Signals[] = [...ENDING, 'SIGHUP']
  for (const signal of ending) process.on(signal, onSignal)
  try {
    const text = await blockCommand(rawArgs, stop.signal, (line) => say(line))
    if (text !== null) process.stdout.write(text)
    return rawArgs.length === 0 ? EXIT_USAGE : EXIT_OK
  } finally {
    for (const signal of ending) process.off(signal, onSignal)
  }
}

/** What ends the program is said as text, whatever the format of the log. */
const say = createLog({ level: 'info', format: 'text' }, (line: LogLine) => {
  try {
    stderrLines().write(line)
  } catch (error) {
    // Lines that never block need koffi: that it is missing must be said without it.
    if (!isVringError(error) || error.code !== 'ERR_MISSING_PEER') throw error
    process.stderr.write(line.text)
  }
})

function onHangUp(reload: () => void): () => void {
  process.on('SIGHUP', reload)
  return () => process.off('SIGHUP', reload)
}

function ignore(): void {}

function report(error: unknown): number {
  if (error instanceof ServeError && error.exitCode !== EXIT_INTERNAL) {
    say(error.message)
    return error.exitCode
  }
  const known = error instanceof ServeError || isVringError(error)
  say(known ? error.message : `internal error: ${error instanceof Error ? error.stack : String(error)}`)
  return isVringError(error) && error.code === 'ERR_MISSING_PEER' ? EXIT_MISSING : EXIT_INTERNAL
}

const COMMANDS = { block: 'Serve a file as a block device', latency: 'Time single frames through the daemon' }

function usage(): string {
  return helpText({
    name: 'vring-serve',
    description: 'A vhost-user network device: attaches DPDK or QEMU to a TAP, AF_XDP, a capture or a program.',
    options: { ...OPTIONS, version: { type: 'boolean', description: 'Print the version' } },
    commands: COMMANDS,
    after:
      'Exit codes: 0 ended by a signal; 1 internal error; 2 unusable arguments; 4 something is missing; 75 may pass by itself.',
  })
}
