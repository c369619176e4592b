import { accessSync, constants, existsSync, mkdirSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { usageError } from './bench-error.ts'

/** Standard output: `--json -`. */
export const STDOUT = '-'

/**
 * Finds out before a long run whether its result can be written.
 *
 * @throws BenchError with exit code 2 that names the argument
 */
export function checkWritable(argument: string, path: string): void {
  if (path === STDOUT) return
  const target = resolve(path)
  try {
    if (existsSync(target)) {
      if (statSync(target).isDirectory()) throw usageError(argument, `${path} is a directory; accepted: a file name`)
      accessSync(target, constants.W_OK)
    } else {
      makeDirectory(dirname(target))
      accessSync(dirname(target), constants.W_OK)
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw usageError(
        argument,
        `${path} can't be written (${String(error.code)}); accepted: a file in a directory that can`,
      )
    throw error
  }
}

/** Level by level: Node's own recursion does not end in file systems that refuse new directories, such as /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  mkdirSync(path)
}

/** Writes text to a file or standard output, with a line end. */
export function writeOutput(argument: string, path: string, text: string): void {
  const line = text.endsWith('\n') ? text : `${text}\n`
  if (path === STDOUT) {
    writeStdout(line)
    return
  }
  checkWritable(argument, path)
  writeFileSync(path, line)
}

/** How long to wait for a reader that is slower, in ms. */
const READER_WAIT_MS = 5

/**
 * Synchronous, so that a pipe gets all of it before the process ends. A pipe that is full takes more when its reader has
 * read; one without a reader, as behind `head`, needs no more.
 */
function writeStdout(text: string): void {
  const bytes = Buffer.from(text)
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done)
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
      Atomics.wait(never, 0, 0, READER_WAIT_MS)
    }
  }
}

/** Pretty JSON. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2)
}
