import { isMainThread } from 'node:worker_threads'
import { IO_EVENT, IOCB, TIMESPEC } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { fixedBytes, type Libc, libc } from '../libc.ts'
import { createMemfd } from '../memory/memfd.ts'
import { nativeAddress } from '../native-address.ts'

/** Of an `iocb`, `<linux/aio_abi.h>`. */
const IOCB_CMD_PREAD = 0
const IOCB_FLAG_RESFD = 1
/** Results that may wait to be fetched. */
const RESULTS = 64

/**
 * Adds one to eventfds without ever waiting, whatever others who share them do.
 *
 * write(2) waits when the counter is at its maximum and the open file is a blocking one. A process that shares it decides
 * both, also between a look (poll, F_GETFL) and the write, and an eventfd has no write with RWF_NOWAIT. The kernel's own
 * signal (eventfd_signal, as vhost calls it) does not wait: it stops at the maximum. Asynchronous I/O gives it away: the
 * end of a request is told to any eventfd that the request names. The request here is a read of nothing, complete when
 * io_submit(2) returns.
 *
 * One serves all eventfds of a thread. io_destroy(2) waits until the kernel has forgotten the context, tens of
 * milliseconds. Between two users it is kept without a descriptor, and goes with its thread.
 */
export class EventSignaller {
  private static current: EventSignaller | null = null

  private readonly libc: Libc
  private readonly context: bigint
  /** What is read from; -1 while there is no user. */
  private fd = -1
  private readonly eventFd: Uint32Array
  private readonly requests: Uint8Array
  private readonly request: Uint8Array
  private readonly results: Uint8Array = fixedBytes(RESULTS * IO_EVENT.size)
  private readonly noTime: Uint8Array = fixedBytes(TIMESPEC.size)
  private unfetched = 0
  private users = 0

  private constructor(c: Libc, context: bigint) {
    this.libc = c
    this.context = context
    this.request = fixedBytes(IOCB.size)
    const request = new DataView(this.request.buffer)
    request.setUint16(IOCB.aio_lio_opcode, IOCB_CMD_PREAD, true)
    request.setUint32(IOCB.aio_flags, IOCB_FLAG_RESFD, true)
    this.eventFd = new Uint32Array(this.request.buffer, IOCB.aio_resfd, 1)
    this.requests = fixedBytes(8)
    new DataView(this.requests.buffer).setBigUint64(0, BigInt(nativeAddress(this.request.buffer)), true)
  }

  /**
   * The one of this thread, until {@link release}; null where asynchronous I/O is missing, forbidden or used up
   * (`fs.aio-max-nr`).
   *
   * @throws VringError ERR_SYSTEM: EMFILE
   */
  static acquire(): EventSignaller | null {
    EventSignaller.current ??= EventSignaller.create()
    const { current } = EventSignaller
    if (current === null) return null
    if (current.users === 0) current.open()
    current.users++
    return current
  }

  /** Adds one to an eventfd. False: the kernel refused, and nothing was added. */
  signal(eventFd: number): boolean {
    if (this.unfetched === RESULTS) this.fetch()
    this.eventFd[0] = eventFd
    if (this.libc.io_submit(this.context, 1, this.requests) !== 1) return false
    this.unfetched++
    return true
  }

  /** One user less: with the last one goes its descriptor. */
  release(): void {
    if (--this.users > 0) return
    closeFd(this.fd)
    this.fd = -1
  }

  private open(): void {
    this.fd = createMemfd('vring-signal', 4096)
    new DataView(this.request.buffer).setUint32(IOCB.aio_fildes, this.fd, true)
  }

  private static create(): EventSignaller | null {
    const c = libc()
    const context = fixedBytes(8)
    if (c.io_setup(RESULTS, context) !== 0) return null
    const id = new DataView(context.buffer).getBigUint64(0, true)
    // The process takes its contexts with it; a thread that ends before has to give its own back.
    if (!isMainThread) process.once('exit', () => c.io_destroy(id))
    return new EventSignaller(c, id)
  }

  /** All of them are complete: fetching does not wait. */
  private fetch(): void {
    const fetched = this.libc.io_getevents(this.context, 0, RESULTS, this.results, this.noTime)
    if (fetched > 0) this.unfetched -= fetched
  }
}
