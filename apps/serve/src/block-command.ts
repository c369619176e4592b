import { once } from 'node:events'
import { parseArgs } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { EventFd } from '@vring/linux'
import { BLOCK_QUEUES_MAX } from '@vring/vhost-user-blk'
import type { BlockSettings, BlockWorkerMessage } from './block-protocol.ts'
import { EXIT_INTERNAL } from './exit-codes.ts'
import { ServeError, usageError } from './serve-error.ts'
import { startThread } from './start-worker.ts'

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
type BlockArguments = Omit<BlockSettings, 'wakeFd' | 'stop'>

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
  const wake = EventFd.create()
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const settings: BlockSettings = { ...given, wakeFd: wake.fd, stop: cell.buffer as SharedArrayBuffer }
  const onStop = (): void => {
    Atomics.store(cell, 0, 1)
    wake.signal()
  }
  if (stop.aborted) onStop()
  stop.addEventListener('abort', onStop)
  try {
    await ended(startThread('block-worker', settings), log)
    return null
  } finally {
    stop.removeEventListener('abort', onStop)
    wake.close()
  }
}

/** Waits until the thread has given everything back. @throws ServeError with what it failed of */
async function ended(thread: Worker, log: (line: string) => void): Promise<void> {
  let failure: ServeError | null = null
  thread.on('message', (message: BlockWorkerMessage) => {
    if (message.type === 'note') log(message.line)
    else failure = new ServeError(message.exitCode, message.message)
  })
  thread.on('error', (error: Error) => {
    failure ??= new ServeError(EXIT_INTERNAL, `the worker thread died: ${error.message}`, error)
  })
  await once(thread, 'exit')
  if (failure !== null) throw failure
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
