import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { BenchError, usageError } from '../bench-error.ts'
import { TERMINAL_WIDTH } from './terminal-width.ts'
import { wrapText } from './wrap-text.ts'

/** Standard output: `--json -`. */
export const STDOUT = '-'
/** Where results go that no argument names, in the working directory. */
export const OUT_FOLDER = 'bench-out'

/**
 * Finds out before a long run whether its result can be written.
 *
 * @throws BenchError with exit code 2 that names the argument
 */
export function checkWritable(argument: string, path: string): void {
  if (path === STDOUT) return
  const target = resolve(path)
  try {
    const existing = statSync(target, { throwIfNoEntry: false })
    if (existing?.isDirectory()) throw usageError(argument, `${path} is a directory; accepted: a file name`)
    if (existing === undefined) checkFolder(argument, path, dirname(target))
    // Permission bits don't tell where root writes: it has them all, and /proc refuses nevertheless. But to open a pipe
    // would wait for its reader, and to close it would be the end for that.
    if (existing === undefined || existing.isFile()) closeSync(openSync(target, 'a'))
    else accessSync(target, constants.W_OK)
    if (existing === undefined) rmSync(target)
  } catch (error) {
    throw unwritable(argument, path, error)
  }
}

/** An error of the file system as a refusal of the argument; any other as it is. */
function unwritable(argument: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error
  return usageError(
    argument,
    `${path} can't be written (${String(error.code)}); accepted: a file in a directory that can`,
  )
}

/**
 * Keeps what a command reads from being written over by what it makes of it.
 *
 * @param taken files that are read, or written by another argument
 * @param by what has them, for the message
 * @throws BenchError with exit code 2 that names the argument
 */
export function checkApart(argument: string, path: string, taken: readonly string[], by: string): void {
  if (path !== STDOUT && taken.some((other) => other !== STDOUT && sameFile(path, other)))
    throw usageError(argument, `${path} is ${by}; accepted: another file`)
}

/** Also by another spelling or through a link. */
function sameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map(statOrNone)
  if (one === undefined || other === undefined) return resolve(a) === resolve(b)
  return one.isFile() && one.dev === other.dev && one.ino === other.ino
}

/** undefined where there is nothing, and where nothing can be: who reads or writes there says why. */
function statOrNone(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** The folder of results that no argument names is made. Any other has to be there: a typo would make a tree. */
function checkFolder(argument: string, path: string, folder: string): void {
  if (existsSync(folder)) return
  if (folder !== resolve(OUT_FOLDER))
    throw usageError(argument, `${path} can't be written (no directory ${folder}); accepted: one that is there`)
  mkdirSync(folder)
}

/**
 * A folder of its own for what lives as long as a run.
 *
 * @throws BenchError with exit code 2 that names the variable
 */
export function makeTemporary(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw usageError(
      'TMPDIR',
      `${tmpdir()} can't take a folder (${String(error.code)}); accepted: a directory that can be written`,
    )
  }
}

/** Writes text to a file or standard output, with a line end. */
export function writeOutput(argument: string, path: string, text: string): void {
  const line = text.endsWith('\n') ? text : `${text}\n`
  if (path === STDOUT) {
    writeStdout(line)
    return
  }
  checkWritable(argument, path)
  try {
    writeFileSync(path, line)
  } catch (error) {
    throw unwritable(argument, path, error)
  }
}

/**
 * Does each, whatever becomes of those before it: a place that is full takes nothing from the others.
 *
 * @returns the refusals
 */
export function writeEach(writes: readonly (() => void)[]): BenchError[] {
  return writes.flatMap((write) => {
    try {
      write()
      return []
    } catch (error) {
      if (error instanceof BenchError) return error
      throw error
    }
  })
}

/** Prints a result for people: on a terminal that is narrow, lines are broken between words. */
export function printText(text: string): void {
  writeOutput('', STDOUT, wrapText(text, TERMINAL_WIDTH))
}

/** How long to wait for a reader that is slower, in ms. */
const READER_WAIT_MS = 5

/**
 * Synchronous, so that a pipe gets all of it before the process ends. A pipe that is full takes more when its reader has
 * read; one whose reader has ended, such as `head`, needs no more.
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
      if (code !== 'EAGAIN') throw unwritable('standard output', 'a result', error)
      Atomics.wait(never, 0, 0, READER_WAIT_MS)
    }
  }
}

/** Pretty JSON. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2)
}
