import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../log/log.ts'
import { limitLines } from './trace-lines.ts'

/** Where systemd mounts tracefs, and where older systems have it. */
const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']
/** The event of bpf_trace_printk (Linux 5.9, kernel/trace/bpf_trace.c). */
const EVENT = 'events/bpf_trace/bpf_trace_printk'
const INSTANCE = 'vring-serve-'
/** How often it is looked for lines, ms. */
const LOOK_MS = 200
/** Bytes of one look: what does not fit is left to the kernel, which overwrites the oldest. */
const LOOK_BYTES = 65_536
/** Kept by the kernel for each CPU between two looks. */
const KEPT_KIB = 64

/**
 * What XDP programs in the kernel print by `bpf_printk`, those of other processes too: the event does not say which program
 * it is of. It is read from an instance of tracefs that is this process's own, so that a reader of `trace_pipe` loses nothing by it.
 */
export class KernelTrace {
  readonly #folder: string
  readonly #enable: number
  readonly #pipe: number
  readonly #timer: NodeJS.Timeout
  readonly #write: (line: string) => void
  readonly #bytes = Buffer.alloc(LOOK_BYTES)
  readonly #decoder = new TextDecoder()
  /** A line whose end is still to come. */
  #rest = ''

  private constructor(folder: string, log: Log) {
    this.#folder = folder
    this.#write = limitLines((line) => log(line, 'debug'))
    writeFileSync(join(folder, 'buffer_size_kb'), String(KEPT_KIB))
    this.#pipe = openSync(join(folder, 'trace_pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      // It stays open: another user may be who ends it.
      this.#enable = openSync(join(folder, EVENT, 'enable'), constants.O_WRONLY)
      writeSync(this.#enable, '1')
    } catch (error) {
      closeSync(this.#pipe)
      throw error
    }
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Begins to log; null where that can't be, which is one line that says why. */
  static open(log: Log, roots: readonly string[] = TRACEFS): KernelTrace | null {
    const refuse = (why: string): null => {
      log(`bpf_printk of programs in the kernel is not logged: ${why}`, 'warn')
      return null
    }
    try {
      const root = roots.find((one) => existsSync(join(one, 'instances')))
      if (root === undefined)
        return refuse(
          process.getuid?.() === 0
            ? `tracefs is not mounted; mount -t tracefs nodev ${roots[0]}`
            : `${roots[0]} is not there, or for root only`,
        )
      if (!existsSync(join(root, EVENT)))
        return refuse('this kernel has no event bpf_trace_printk; it is there from 5.9 on')
      const instances = join(root, 'instances')
      removeDead(instances)
      const folder = join(instances, `${INSTANCE}${process.pid}`)
      mkdirSync(folder)
      try {
        return new KernelTrace(folder, log)
      } catch (error) {
        rmdirSync(folder)
        throw error
      }
    } catch (error) {
      const { code, path, message } = error as NodeJS.ErrnoException
      return refuse(path === undefined ? message : `${path}: ${code}${code === 'EACCES' ? ', which is for root' : ''}`)
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#look()
    writeSync(this.#enable, '0')
    closeSync(this.#enable)
    closeSync(this.#pipe)
    try {
      rmdirSync(this.#folder)
    } catch {
      // Another user by now: it is off, and the next start removes it.
    }
  }

  #look(): void {
    let read = 0
    try {
      read = readSync(this.#pipe, this.#bytes)
    } catch {
      // EAGAIN: nothing was printed.
      return
    }
    const lines = (this.#rest + this.#decoder.decode(this.#bytes.subarray(0, read), { stream: true })).split('\n')
    // One without end in all of a look is none of the kernel's.
    this.#rest = lines.pop()!.slice(0, LOOK_BYTES)
    for (const line of lines) this.#write(line.replace(/^.*?\bbpf_trace_printk: /, ''))
  }
}

/** Removes what processes left that were killed; one that is read by a process of another PID namespace is busy. */
function removeDead(instances: string): void {
  for (const name of readdirSync(instances)) {
    if (!name.startsWith(INSTANCE) || existsSync(`/proc/${name.slice(INSTANCE.length)}`)) continue
    try {
      rmdirSync(join(instances, name))
    } catch {
      // Busy, or gone by now.
    }
  }
}
