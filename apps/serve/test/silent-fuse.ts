import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, read, writeSync } from 'node:fs'

/** Requests by their numbers. Source: Linux `<linux/fuse.h>`. */
const [LOOKUP, GETATTR, OPEN, INIT] = [1, 3, 14, 26]
/** What close(2) asks, and waits for. */
export const FLUSH = 25
const OUT_HEADER = 16
const ENOSYS = 38
const FILE = 2n

/** A file system of one file, whose server answers until it is told to be silent: from then on, a caller waits. */
export class SilentFuse {
  readonly #folder: string
  readonly #device: number
  /** Requests that got no answer, by their numbers. */
  readonly unanswered: number[] = []
  silent = false

  private constructor(folder: string, device: number) {
    this.#folder = folder
    this.#device = device
    this.#next()
  }

  /** @param folder where it is mounted; is made */
  static async mount(folder: string): Promise<SilentFuse> {
    mkdirSync(folder)
    const device = openSync('/dev/fuse', 'r+')
    const fuse = new SilentFuse(folder, device)
    const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other'
    const stdio = ['ignore', 'inherit', 'inherit', device] as const
    // Its server is this process: nothing of it may wait for the mount.
    const mount = spawn('mount', ['-i', '-t', 'fuse', '-o', options, 'silent', folder], { stdio: [...stdio] })
    const [status] = await once(mount, 'exit')
    if (status !== 0) throw new Error(`mount of FUSE at ${folder}: ${status}`)
    return fuse
  }

  /** The file, whatever its name is. */
  get file(): string {
    return `${this.#folder}/file`
  }

  /** Who waits for an answer gets an error. */
  close(): void {
    closeSync(this.#device)
    spawnSync('umount', ['-l', this.#folder], { timeout: 5000 })
  }

  #next(): void {
    const bytes = Buffer.alloc(2 ** 17 + 4096)
    read(this.#device, bytes, 0, bytes.length, null, (error, length) => {
      // Before the mount there is no connection to read from.
      if (error?.code === 'EPERM') setTimeout(() => this.#next(), 5)
      if (error !== null) return
      this.#answer(new DataView(bytes.buffer, bytes.byteOffset, length))
      this.#next()
    })
  }

  #answer(request: DataView): void {
    const [operation, node] = [request.getUint32(4, true), request.getBigUint64(16, true)]
    if (this.silent) {
      this.unanswered.push(operation)
      return
    }
    const answer = new DataView(new ArrayBuffer(OUT_HEADER + 128))
    const put64 = (at: number, value: bigint): void => answer.setBigUint64(OUT_HEADER + at, value, true)
    const put32 = (at: number, value: number): void => answer.setUint32(OUT_HEADER + at, value, true)
    const attributes = (at: number, which: bigint): void => {
      put64(at, which)
      put64(at + 8, which === FILE ? 2n ** 21n : 0n)
      put32(at + 60, which === FILE ? 0o100_600 : 0o40_755)
      put32(at + 64, 1)
      put32(at + 80, 4096)
    }
    let length = 0
    let error = 0
    if (operation === INIT) {
      length = 64
      put32(0, 7)
      put32(4, 31)
      put32(20, 2 ** 16)
    } else if (operation === LOOKUP) {
      length = 128
      put64(0, FILE)
      attributes(40, FILE)
    } else if (operation === GETATTR) {
      length = 104
      attributes(16, node)
    } else if (operation === OPEN) length = 16
    else error = -ENOSYS
    answer.setUint32(0, OUT_HEADER + length, true)
    answer.setInt32(4, error, true)
    answer.setBigUint64(8, request.getBigUint64(8, true), true)
    writeSync(this.#device, new Uint8Array(answer.buffer, 0, OUT_HEADER + length))
  }
}
