import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readvSync, writevSync } from 'node:fs'
import { refused } from '@vring/layout'
import { punchHole, systemErrnoOf } from '@vring/linux'
import { type BlockStore, SECTOR_BYTES } from './block-store.ts'

/** Buffers of one system call. Source: Linux UIO_MAXIOV. */
const VECTORS_MAX = 1024
const ZEROES = new Uint8Array(2 ** 16)

/** A regular file as a block device: read and written through the page cache, by preadv(2) and pwritev(2). */
export class FileStore implements BlockStore {
  readonly bytes: number
  readonly readOnly: boolean
  readonly #fd: number
  #closed = false

  /**
   * @throws VringError ERR_INVALID_ARGUMENT for what is no file of whole sectors; what opening throws
   */
  constructor(path: string, { readOnly = false }: { readonly readOnly?: boolean } = {}) {
    this.readOnly = readOnly
    this.#fd = openSync(path, readOnly ? constants.O_RDONLY : constants.O_RDWR)
    const status = fstatSync(this.#fd)
    this.bytes = status.size
    const accepted = `a regular file of one sector or more, a multiple of ${SECTOR_BYTES} bytes`
    const problem = !status.isFile()
      ? 'no regular file'
      : status.size === 0 || status.size % SECTOR_BYTES !== 0
        ? `${status.size} bytes`
        : null
    if (problem === null) return
    this.close()
    throw refused('ERR_INVALID_ARGUMENT', `file ${path}`, problem, accepted)
  }

  read(offset: number, into: readonly Uint8Array[]): void {
    transfer(offset, into, (views, position) => readvSync(this.#fd, views, position))
  }

  write(offset: number, from: readonly Uint8Array[]): void {
    transfer(offset, from, (views, position) => writevSync(this.#fd, views, position))
  }

  flush(): void {
    if (!this.readOnly) fdatasyncSync(this.#fd)
  }

  /** Where the file system can't make holes, a discard does nothing: it asks for no more. */
  discard(offset: number, length: number): void {
    this.#punch(offset, length)
  }

  /** A hole reads as zeroes. It gives its room back whether that was asked for or not, which the driver can't tell. */
  writeZeroes(offset: number, length: number): void {
    if (this.#punch(offset, length)) return
    for (let done = 0; done < length; done += ZEROES.length)
      this.write(offset + done, [ZEROES.subarray(0, Math.min(ZEROES.length, length - done))])
  }

  /** Closes the file. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
  }

  #punch(offset: number, length: number): boolean {
    try {
      punchHole(this.#fd, offset, length)
      return true
    } catch (error) {
      if (systemErrnoOf(error) === 'EOPNOTSUPP') return false
      throw error
    }
  }
}

/** Moves all bytes, however many a call moves. */
function transfer(
  offset: number,
  views: readonly Uint8Array[],
  call: (views: readonly Uint8Array[], position: number) => number,
): void {
  let rest = views
  let position = offset
  while (rest.length > 0) {
    let count = call(rest.length > VECTORS_MAX ? rest.slice(0, VECTORS_MAX) : rest, position)
    if (count === 0) throw new Error('the file ends before its size')
    position += count
    let done = 0
    while (done < rest.length && count >= rest[done]!.length) count -= rest[done++]!.length
    rest = count > 0 ? [rest[done]!.subarray(count), ...rest.slice(done + 1)] : rest.slice(done)
  }
}
