import { closeSync, constants, ftruncateSync, openSync, readdirSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { join, parse } from 'node:path'
import { VringError } from '@vring/layout'

/** Where the blocks of a capture go. It never throws once it is open. */
export interface CaptureOutput {
  /** Why frames are lost now: a system error code that ended it (`ENOSPC`), or `no-reader`; null: they are not. */
  readonly trouble: string | null
  /**
   * Writes whole blocks, after `preamble` where a file or a reader begins.
   *
   * @returns bytes of `bytes[from]` to `bytes[to - 1]` that were taken, fewer than all while a reader is slow; -1: they
   * are lost
   */
  write(preamble: Uint8Array, bytes: Uint8Array, from: number, to: number): number
  close(): void
}

export interface FileOutputOptions {
  /** Replace a file that is there. */
  readonly overwrite: boolean
  /** Begin another file before one exceeds this many bytes, or null: one file. */
  readonly rotateBytes: number | null
  /** Files that are kept, or null: all. */
  readonly files: number | null
}

/** Attempts to find a free name for the next file. */
const NAMES_MAX = 100_000

/**
 * A FIFO for a program that reads along, or files on disk.
 *
 * @throws VringError ERR_SYSTEM with the system code: `EEXIST` for a file that is there and is not to be replaced
 */
export function openCaptureOutput(path: string, options: FileOutputOptions): CaptureOutput {
  return isFifo(path) ? new FifoOutput(path) : new FileOutput(path, options)
}

function isFifo(path: string): boolean {
  try {
    return statSync(path).isFIFO()
  } catch {
    return false
  }
}

/** `ENOSPC` of an error of Node's own. */
function errorCode(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause)
}

/**
 * One file, or one after the other: `name_00001.pcapng`, `name_00002.pcapng`. When the disk is full the last one is cut back
 * to its last whole block.
 */
class FileOutput implements CaptureOutput {
  trouble: string | null = null
  private readonly path: string
  private readonly options: FileOutputOptions
  private fd: number
  private number = 0
  /** Bytes of whole blocks in the file. */
  private written = 0
  /** Made by this capture, oldest first. */
  private readonly made: string[] = []

  constructor(path: string, options: FileOutputOptions) {
    this.path = path
    this.options = options
    try {
      // Files of an earlier capture stay: numbers go on after the last of them.
      if (options.rotateBytes !== null && !options.overwrite) this.number = lastNumber(path)
      this.fd = this.open()
    } catch (cause) {
      const code = errorCode(cause)
      const reason = code === 'EEXIST' ? 'EEXIST (a file is there; overwrite replaces it)' : code
      throw new VringError('ERR_SYSTEM', `capture file ${path} can't be created: ${reason}`, {
        field: 'path',
        value: code,
        cause,
      })
    }
  }

  write(preamble: Uint8Array, bytes: Uint8Array, from: number, to: number): number {
    if (this.fd < 0) return -1
    try {
      const { rotateBytes } = this.options
      if (rotateBytes !== null && this.written > preamble.length && this.written + to - from > rotateBytes)
        this.rotate()
      if (this.written === 0) this.put(preamble, 0, preamble.length)
      this.put(bytes, from, to)
      return to - from
    } catch (cause) {
      this.fail(errorCode(cause))
      return -1
    }
  }

  close(): void {
    if (this.fd < 0) return
    closeSync(this.fd)
    this.fd = -1
    this.trouble ??= 'CLOSED'
  }

  private open(): number {
    const { overwrite, rotateBytes } = this.options
    const flags = overwrite || isDevice(this.path) ? 'w' : 'wx'
    for (;;) {
      const path = rotateBytes === null ? this.path : numbered(this.path, ++this.number)
      try {
        const fd = openSync(path, flags)
        this.made.push(path)
        return fd
      } catch (cause) {
        // Another capture was quicker.
        if (rotateBytes === null || errorCode(cause) !== 'EEXIST' || this.number >= NAMES_MAX) throw cause
      }
    }
  }

  private rotate(): void {
    closeSync(this.fd)
    this.fd = -1
    this.fd = this.open()
    this.written = 0
    const { files } = this.options
    if (files !== null && this.made.length > files) remove(this.made.shift()!)
  }

  private put(bytes: Uint8Array, from: number, to: number): void {
    // A regular file may take less than it was given.
    for (let at = from; at < to; ) at += writeSync(this.fd, bytes, at, to - at)
    this.written += to - from
  }

  /** Leaves a file that readers accept: what was written of the last blocks is cut off. */
  private fail(code: string): void {
    this.trouble = code
    if (this.fd < 0) return
    try {
      ftruncateSync(this.fd, this.written)
    } catch {
      // Not a regular file: nothing to cut.
    }
    closeSync(this.fd)
    this.fd = -1
  }
}

/** A file that is gone already, or can't be removed, costs no frame. */
function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was removed by hand, or the folder lets this process do so no longer.
  }
}

/** `trace.pcapng` as `trace_00001.pcapng`. */
function numbered(path: string, number: number): string {
  const { dir, name, ext } = parse(path)
  return join(dir, `${name}_${String(number).padStart(5, '0')}${ext}`)
}

/** The greatest number of the files that are there: those before it may have been deleted. */
function lastNumber(path: string): number {
  const { dir, name, ext } = parse(path)
  let last = 0
  for (const file of readdirSync(dir || '.')) {
    const number =
      file.startsWith(`${name}_`) && file.endsWith(ext) ? file.slice(name.length + 1, file.length - ext.length) : ''
    if (/^\d{5,6}$/.test(number)) last = Math.max(last, Number(number))
  }
  return last
}

/** `/dev/full`, `/dev/null`: nothing is lost by opening one. */
function isDevice(path: string): boolean {
  try {
    return !statSync(path).isFile()
  } catch {
    return false
  }
}

/** How long to leave a FIFO alone that has no reader, ms. */
const READER_MS = 100

/** A FIFO that may have readers: each reader gets a capture of its own, from when it came. */
class FifoOutput implements CaptureOutput {
  trouble: string | null = 'no-reader'
  private readonly path: string
  private fd = -1
  /** What is still to be written of the preamble. */
  private preamble: Uint8Array = new Uint8Array(0)
  private closed = false
  /** When to look for a reader again, ms. */
  private nextTry = 0

  constructor(path: string) {
    this.path = path
  }

  write(preamble: Uint8Array, bytes: Uint8Array, from: number, to: number): number {
    if (this.closed) return -1
    if (this.fd < 0) {
      const now = performance.now()
      if (now < this.nextTry) return -1
      this.nextTry = now + READER_MS
    }
    try {
      if (this.fd < 0) {
        this.fd = openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK)
        this.preamble = preamble
        this.trouble = null
      }
      this.preamble = this.preamble.subarray(this.put(this.preamble, 0, this.preamble.length))
      return this.preamble.length > 0 ? 0 : this.put(bytes, from, to)
    } catch (cause) {
      this.left(errorCode(cause))
      return -1
    }
  }

  close(): void {
    this.closed = true
    this.left('CLOSED')
  }

  /** Bytes that the pipe took. */
  private put(bytes: Uint8Array, from: number, to: number): number {
    let at = from
    while (at < to) {
      try {
        at += writeSync(this.fd, bytes, at, to - at)
      } catch (cause) {
        if (errorCode(cause) === 'EAGAIN') break
        throw cause
      }
    }
    return at - from
  }

  /** ENXIO: no process has it open for reading; EPIPE: the reader is gone. */
  private left(code: string): void {
    this.trouble = code === 'ENXIO' || code === 'EPIPE' ? 'no-reader' : code
    if (this.fd >= 0) closeSync(this.fd)
    this.fd = -1
  }
}
