import { parseArgs } from 'node:util'
import { runWorker, VhostUserWorker } from '@vring/vhost-user'
import { BLOCK_QUEUES_MAX, BlockDevice, FileStore } from '@vring/vhost-user-blk'
import { startError, usageError } from './serve-error.ts'

export const BLOCK_USAGE = `USAGE vring-serve block --socket PATH --file FILE [--read-only] [--queues N] [--client]

  Serves a file as a virtio block device over vhost-user, to one driver after the other.

  --socket PATH   vhost-user socket
  --file FILE     a regular file, a multiple of 512 bytes
  --read-only     the driver can't write
  --queues N      request queues, 1 to ${BLOCK_QUEUES_MAX}; default 1
  --id TEXT       what the driver is told as the disk's id, at most 20 characters; default vring
  --client        connect to a driver that listens, instead of listening
`

/** What was given, checked. */
interface BlockArguments {
  readonly socket: string
  readonly file: string
  readonly readOnly: boolean
  readonly queues: number
  readonly id: string
  readonly client: boolean
}

/**
 * `vring-serve block`: serves until `stop` is aborted.
 *
 * @param rawArgs arguments after `block`
 * @param log takes one line for people
 * @throws ServeError
 */
export async function blockCommand(
  rawArgs: readonly string[],
  stop: AbortSignal,
  log: (line: string) => void,
): Promise<string | null> {
  const given = readArguments(rawArgs)
  if (given === null) return BLOCK_USAGE
  const { socket, file, readOnly, queues, id, client } = given
  const store = attempt('--file', () => new FileStore(file, { readOnly }))
  const worker = new VhostUserWorker()
  try {
    const device = attempt('--id', () => new BlockDevice({ store, queues, id }))
    attempt('--socket', () =>
      worker.serve({
        ...{ path: socket, role: client ? 'client' : 'server', device },
        onNote: log,
        onOpen: () => log('a driver connected'),
        onClose: ({ error }) =>
          log(error === null ? 'the driver hung up' : `the driver's session ended: ${error.message}`),
      }),
    )
    const kind = `${store.bytes} bytes${readOnly ? ', read-only' : ''}, ${queues} queue${queues === 1 ? '' : 's'}`
    log(`${client ? 'connecting to' : 'listening on'} ${socket}; block device ${file}, ${kind}`)
    await runWorker(worker, stop)
    const { reads, writes, flushes, errors } = device.counters
    log(`stopped; ${reads} reads, ${writes} writes, ${flushes} flushes, ${errors} errors`)
    return null
  } finally {
    worker.close()
    store.close()
  }
}

function readArguments(rawArgs: readonly string[]): BlockArguments | null {
  const values = parse(rawArgs)
  if (values.help === true) return null
  const { socket, file } = values
  if (socket === undefined) throw usageError('--socket', 'is missing: the path of the vhost-user socket')
  if (file === undefined) throw usageError('--file', 'is missing: the file to serve')
  const queues = Number(values.queues ?? '1')
  if (!Number.isInteger(queues) || queues < 1 || queues > BLOCK_QUEUES_MAX)
    throw usageError('--queues', `is ${values.queues}; accepted: 1 to ${BLOCK_QUEUES_MAX}`)
  return {
    ...{ socket, file, queues, id: values.id ?? 'vring' },
    ...{ readOnly: values['read-only'] === true, client: values.client === true },
  }
}

function parse(rawArgs: readonly string[]) {
  try {
    return parseArgs({
      args: [...rawArgs],
      options: {
        socket: { type: 'string' },
        file: { type: 'string' },
        'read-only': { type: 'boolean' },
        queues: { type: 'string' },
        id: { type: 'string' },
        client: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw usageError('block', (error as Error).message)
  }
}

/** Errors say which argument asked for what failed. */
function attempt<T>(argument: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw startError(argument, error)
  }
}
