import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { didYouMean } from '@vring/cli/errors'
import { UnixListener } from '@vring/linux'
import * as z from 'zod'
import { formatBackend } from '../config/backend-spec.ts'
import { parseCapture } from '../config/capture-spec.ts'
import { resolveNamedDevice } from '../config/config.ts'
import { attempt, startError, usageError } from '../serve-error.ts'
import type { Daemon } from './daemon.ts'

/** Connections at a time, and bytes of a line: this is for the people of one machine. */
const CONNECTIONS_MAX = 16
const LINE_BYTES_MAX = 65_536

const name = z.string().default('')
const COMMANDS = {
  show: z.strictObject({ command: z.literal('show') }),
  add: z.strictObject({ command: z.literal('add'), device: z.unknown() }),
  remove: z.strictObject({ command: z.literal('remove'), name: z.string() }),
  capture: z.strictObject({ command: z.literal('capture'), name, file: z.string() }),
  'capture-end': z.strictObject({ command: z.literal('capture-end'), name, file: z.string() }),
  reload: z.strictObject({ command: z.literal('reload') }),
} as const
const request = z.discriminatedUnion('command', Object.values(COMMANDS) as [(typeof COMMANDS)['show']])

/**
 * Takes commands for the running daemon over a Unix socket that only its own user may open: JSON, one a line, each answered by
 * one line, `{"ok":true,...}` or `{"ok":false,"error":"..."}`.
 */
export class ControlServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  /**
   * @param started the devices are there: commands that come earlier wait
   * @throws ServeError naming --control
   */
  static async start(
    path: string,
    daemon: Daemon,
    reload: () => Promise<readonly string[]>,
    started: Promise<void>,
  ): Promise<ControlServer> {
    removeDead(path)
    const before = process.umask(0o177)
    try {
      // A client that has said all of it, as `nc -N` does, still hears the answers.
      const server = createServer({ allowHalfOpen: true })
      const control = new ControlServer(server)
      server.maxConnections = CONNECTIONS_MAX
      server.on('connection', (socket) => control.#serve(socket, daemon, reload, started))
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(path, resolve)
      })
      return control
    } catch (error) {
      throw startError(`--control ${path}`, error)
    } finally {
      process.umask(before)
    }
  }

  /** Ends, also connections that are open; its path is gone. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #serve(socket: Socket, daemon: Daemon, reload: () => Promise<readonly string[]>, started: Promise<void>): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let pending = 0
    socket.on('data', (bytes: Buffer) => {
      pending = bytes.includes(10) ? bytes.length - bytes.lastIndexOf(10) - 1 : pending + bytes.length
      if (pending > LINE_BYTES_MAX) socket.destroy()
    })
    // One answer after the other, in the order of the commands.
    let answers: Promise<unknown> = started
    const lines = createInterface({ input: socket })
    lines.on('line', (line) => {
      answers = answers.then(async () => {
        const answer = await run(line, daemon, reload)
        if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`)
      })
    })
    lines.on('close', () => void answers.then(() => socket.end()))
  }
}

type Answer = { readonly ok: true; readonly [key: string]: unknown } | { readonly ok: false; readonly error: string }

/** Runs one command. */
export async function run(line: string, daemon: Daemon, reload: () => Promise<readonly string[]>): Promise<Answer> {
  try {
    const given = parse(line) as z.infer<(typeof COMMANDS)[keyof typeof COMMANDS]>
    switch (given.command) {
      case 'show':
        return { ok: true, devices: await Promise.all(daemon.devices.map(show)) }
      case 'add':
        await daemon.add(await resolveNamedDevice(given.device))
        return { ok: true }
      case 'remove':
        await daemon.remove(given.name)
        return { ok: true }
      case 'capture':
        await daemon.device(given.name).beginCapture(parseCapture('file', given.file))
        return { ok: true }
      case 'capture-end':
        await daemon.device(given.name).endCapture(given.file)
        return { ok: true }
      case 'reload': {
        const failures = await reload()
        return failures.length === 0 ? { ok: true } : { ok: false, error: failures.join('; ') }
      }
    }
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) }
  }
}

function parse(line: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw usageError('command', `is no JSON: ${(error as Error).message}`)
  }
  const result = request.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const names = Object.keys(COMMANDS)
  const command = (value as { readonly command?: unknown } | null)?.command
  const accepted = `accepted: ${names.join(', ')}`
  if (typeof command !== 'string') throw usageError('command', `is missing; ${accepted}`)
  if (!names.includes(command))
    throw usageError('command', `${JSON.stringify(command)} is unknown; ${accepted}${didYouMean(command, names)}`)
  const [issue] = result.error.issues
  const fields = Object.keys(COMMANDS[command as keyof typeof COMMANDS].shape)
  if (issue!.code === 'unrecognized_keys') {
    const [key] = issue!.keys
    throw usageError(command, `${key} is unknown; accepted: ${fields.join(', ')}${didYouMean(key!, fields)}`)
  }
  const field = issue!.path.join('.')
  throw usageError(
    command,
    issue!.input === undefined
      ? `${field} is missing`
      : `${field}: ${JSON.stringify(issue!.input)} is not accepted; accepted: text`,
  )
}

async function show(device: Daemon['devices'][number]): Promise<Readonly<Record<string, unknown>>> {
  const { config } = device
  const { snapshot, link } = await device.observe()
  const { session, sessions, pairs, captures, queues } = snapshot
  return {
    ...{ name: config.name, socket: config.socket, backend: formatBackend(config.backend), accessor: config.accessor },
    ...{ session, sessions, pairs, queues, captures },
    link: link === null ? null : { name: link.name, up: link.up, place: link.place },
  }
}

/** A socket of a daemon that has ended; no other file is replaced. */
function removeDead(path: string): void {
  attempt(`--control ${path}`, () => UnixListener.listen(path).close())
}
