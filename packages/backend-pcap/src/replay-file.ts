import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { isVringError, VringError } from '@vring/layout'
import { type CaptureReader, isEthernetFrame } from './capture-reader.ts'
import { fileSource } from './file-source.ts'
import { openCapture } from './open-capture.ts'

/** A capture on disk that is read as often as it is replayed. Every refusal names the file. */
export class ReplayFile {
  readonly path: string
  private readonly fd: number
  private closed = false

  private constructor(path: string, fd: number) {
    this.path = path
    this.fd = fd
  }

  /**
   * Opens a capture and looks for its first Ethernet frame.
   *
   * @throws VringError ERR_SYSTEM (`ENOENT`, `EACCES`, ...); ERR_INVALID_ARGUMENT: no regular file, no capture, another
   * version, malformed or cut before its first frame, or without one
   */
  static open(path: string): ReplayFile {
    const file = new ReplayFile(path, openRegular(path))
    try {
      file.findFrame()
      return file
    } catch (error) {
      file.close()
      throw named(path, error)
    }
  }

  /** Reads from the beginning. @throws VringError */
  read(): CaptureReader {
    try {
      return openCapture(fileSource(this.fd))
    } catch (error) {
      throw named(this.path, error)
    }
  }

  /** Closes the descriptor. A second call does nothing. */
  close(): void {
    if (this.closed) return
    this.closed = true
    closeSync(this.fd)
  }

  private findFrame(): void {
    const reader = openCapture(fileSource(this.fd))
    for (let step = reader.step(); step !== 'end'; step = reader.step())
      if (step === 'packet' && isEthernetFrame(reader)) return
    const { truncatedAt } = reader
    throw new VringError(
      'ERR_INVALID_ARGUMENT',
      `no Ethernet frame to replay${truncatedAt === null ? '' : `: the file stops in the middle of a record at ${truncatedAt}`}`,
      { field: 'capture' },
    )
  }
}

/** A FIFO would be waited for, and can't be read twice. */
function openRegular(path: string): number {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new VringError('ERR_SYSTEM', `${path}: can't be opened: ${code}`, { field: 'path', value: code, cause })
  }
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw new VringError('ERR_INVALID_ARGUMENT', `${path}: is no regular file; accepted: a capture on disk`, {
    field: 'path',
    value: path,
  })
}

function named(path: string, error: unknown): unknown {
  if (!isVringError(error)) return error
  const { code, field, value } = error
  return new VringError(code, `${path}: ${error.message}`, {
    ...(field === undefined ? {} : { field }),
    ...(value === undefined ? {} : { value }),
    cause: error,
  })
}
