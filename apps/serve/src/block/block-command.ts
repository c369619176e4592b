import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { helpText, type OptionTable, readArguments } from '@vring/cli'
import { EventFd, missingProtection } from '@vring/linux'
import { BLOCK_QUEUES_MAX } from '@vring/vhost-user-blk'
import { EXIT_INTERNAL } from '../exit-codes.ts'
import { ServeError, usageError } from '../serve-error.ts'
import { startNamedThread } from '../threads/start-worker.ts'
import type { BlockSettings, BlockWorkerMessage } from './block-protocol.ts'

const OPTIONS = {
  socket: { type: 'string', valueHint: 'PATH', description: 'vhost-user socket' },
  file: { type: 'string', valueHint: 'FILE', description: 'A regular file, a multiple of 512 bytes' },
  'read-only': { type: 'boolean', description: "The driver can't write" },
  queues: { type: 'string', valueHint: 'N', description: `Request queues, 1 to ${BLOCK_QUEUES_MAX}; default 1` },
  id: {
    type: 'string',
    valueHint: 'TEXT',
    description: "What the driver is told as the disk's id, at most 20 characters; default vring",
  },
  client: { type: 'boolean', description: 'Connect to a driver that listens, instead of listening' },
} as const satisfies OptionTable

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
  if (rawArgs.length === 0 || rawArgs.includes('--help') || rawArgs.includes('-h')) return usage()
  const given = checked(rawArgs)
  const missing = missingProtection()
  if (missing !== null) log(missing)
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
    await ended(startNamedThread('block-worker', settings), log)
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

function usage(): string {
  return helpText({
    name: 'vring-serve block',
    description: 'Serves a file as a virtio block device over vhost-user, to one driver after the other.',
    options: OPTIONS,
  })
}

function checked(rawArgs: readonly string[]): BlockArguments {
  const given = readArguments(OPTIONS, rawArgs)
  const needed = (name: 'socket' | 'file'): string => {
    const text = given.text(name)
    if (text === null) throw usageError(`--${name}`, `missing: ${OPTIONS[name].description}`)
    return text
  }
  return {
    ...{ socket: needed('socket'), file: needed('file') },
    ...{ queues: given.integer('queues', 1, BLOCK_QUEUES_MAX, 1), id: given.text('id') ?? 'vring' },
    ...{ readOnly: given.flag('read-only'), client: given.flag('client') },
  }
}
