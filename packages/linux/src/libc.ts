import { createRequire } from 'node:module'
import { endianness } from 'node:os'
import { VringError } from '@vring/layout'
import type Koffi from 'koffi'
import type { LibraryHandle } from 'koffi'
import {
  EINTR,
  SYS_AIO,
  SYS_AIO_X64,
  SYS_BPF,
  SYS_BPF_X64,
  SYS_IO_URING_ENTER,
  SYS_IO_URING_REGISTER,
  SYS_IO_URING_SETUP,
} from './abi.ts'
import { systemError } from './system-error.ts'

/** Memory that a call reads or writes: a typed array over its own ArrayBuffer, an address, or none. */
export type Pointer = Uint8Array | bigint | null

/** The C library's functions that this package calls. Lengths and offsets in bytes; results as in the manual pages. */
export interface Libc {
  readonly koffi: typeof Koffi
  errno(): number
  close(fd: number): number
  fcntl(fd: number, command: number, argument: number): number
  open(path: string, flags: number): number
  ftruncate(fd: number, length: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  readlink(path: string, buffer: Pointer, length: number): number
  read(fd: number, buffer: Pointer, length: number): number
  write(fd: number, buffer: Pointer, length: number): number
  mmap(address: bigint | null, length: number, prot: number, flags: number, fd: number, offset: number): bigint
  munmap(address: bigint, length: number): number
  mprotect(address: bigint, length: number, prot: number): number
  sigaction(signal: number, action: Pointer, old: Pointer): number
  waitpid(pid: number, status: Pointer | null, options: number): number
  sysconf(name: number): number
  fstatfs(fd: number, status: Pointer): number
  memfd_create(name: string, flags: number): number
  eventfd(initial: number, flags: number): number
  timerfd_create(clock: number, flags: number): number
  timerfd_settime(fd: number, flags: number, value: Pointer, old: Pointer): number
  poll(fds: Pointer, count: number, timeoutMs: number): number
  epoll_create1(flags: number): number
  epoll_ctl(epfd: number, operation: number, fd: number, event: Pointer): number
  /** poll(2) in a thread of the pool; errors are -1, whose number is not known. */
  pollAsync(set: Pointer, count: number, timeoutMs: number): Promise<number>
  socket(domain: number, type: number, protocol: number): number
  socketpair(domain: number, type: number, protocol: number, fds: Pointer): number
  bind(fd: number, address: Pointer, length: number): number
  listen(fd: number, backlog: number): number
  accept4(fd: number, address: Pointer, length: Pointer, flags: number): number
  connect(fd: number, address: Pointer, length: number): number
  shutdown(fd: number, how: number): number
  sendmsg(fd: number, message: Pointer, flags: number): number
  recvmsg(fd: number, message: Pointer, flags: number): number
  clock_gettime(clock: number, timespec: Pointer): number
  sched_setaffinity(pid: number, bytes: number, mask: Pointer): number
  sched_getaffinity(pid: number, bytes: number, mask: Pointer): number
  sched_setscheduler(pid: number, policy: number, param: Pointer): number
  prctl(option: number, second: number, third: number, fourth: number, fifth: number): number
  ioctl(fd: number, request: number, argument: Pointer): number
  readv(fd: number, iovec: Pointer, count: number): number
  writev(fd: number, iovec: Pointer, count: number): number
  preadv2(fd: number, iovec: Pointer, count: number, offset: number, flags: number): number
  getsockopt(fd: number, level: number, name: number, value: Pointer, length: Pointer): number
  setsockopt(fd: number, level: number, name: number, value: Pointer, length: number): number
  sendto(fd: number, buffer: Pointer, length: number, flags: number, address: Pointer, addressLength: number): number
  recvfrom(fd: number, buffer: Pointer, length: number, flags: number, address: Pointer, addressLength: Pointer): number
  if_nametoindex(name: string): number
  unshare(flags: number): number
  /** System calls that the C library has no function for: syscall(2) with the shapes that are needed here. */
  bpf(command: number, attribute: Pointer, bytes: number): number
  io_setup(entries: number, context: Pointer): number
  io_destroy(context: bigint): number
  io_getevents(context: bigint, least: number, most: number, events: Pointer, timeout: Pointer): number
  io_submit(context: bigint, count: number, requests: Pointer): number
  io_uring_setup(entries: number, params: Pointer): number
  io_uring_enter(fd: number, toSubmit: number, minComplete: number, flags: number): number
  io_uring_register(fd: number, opcode: number, argument: Pointer, count: number): number
}

let loaded: Libc | null = null

/** Why this host can't be called, or null when it can. Nothing is loaded by asking. */
export function unsupportedHost(): string | null {
  if (process.platform !== 'linux') return `the platform is ${process.platform}; accepted: linux`
  if (endianness() !== 'LE') return 'the byte order is big-endian; accepted: little-endian'
  if (!['x64', 'arm64', 'riscv64'].includes(process.arch))
    return `the architecture is ${process.arch}; accepted: x64, arm64, riscv64`
  return null
}

/**
 * The C library, loaded at the first call so that importing this package costs nothing and fails nowhere.
 *
 * @throws VringError ERR_UNSUPPORTED on a host without it, ERR_MISSING_PEER without koffi
 */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

function load(): Libc {
  const reason = unsupportedHost()
  if (reason !== null) throw new VringError('ERR_UNSUPPORTED', `@vring/linux: ${reason}`, { field: 'platform' })
  let koffi: typeof Koffi
  let library: LibraryHandle
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    library = koffi.load(null)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
    throw new VringError(
      'ERR_MISSING_PEER',
      `@vring/linux: koffi, which calls the C library, can't be loaded (${reason}); install it with its binary: npm install koffi`,
      { field: 'koffi', cause },
    )
  }
  const poll = library.func('int poll(void *, ulong, int)')
  const bpf = library.func('int64_t syscall(long, int, void *, uint)')
  const [ioSetup, ioDestroy, ioGetevents, ioSubmit] = process.arch === 'x64' ? SYS_AIO_X64 : SYS_AIO
  const ioUringSetup = library.func('int64_t syscall(long, uint, void *)')
  const ioUringEnter = library.func('int64_t syscall(long, uint, uint, uint, uint, void *, size_t)')
  const ioUringRegister = library.func('int64_t syscall(long, uint, uint, void *, uint)')
  return {
    koffi,
    errno: () => koffi.errno(),
    close: library.func('int close(int)'),
    fcntl: library.func('int fcntl(int, int, long)'),
    ftruncate: library.func('int ftruncate(int, int64_t)'),
    fallocate: library.func('int fallocate(int, int, int64_t, int64_t)'),
    open: library.func('int open(str, int)'),
    readlink: library.func('int64_t readlink(str, void *, size_t)'),
    read: library.func('int64_t read(int, void *, size_t)'),
    write: library.func('int64_t write(int, void *, size_t)'),
    mmap: library.func('void *mmap(void *, size_t, int, int, int, int64_t)'),
    munmap: library.func('int munmap(void *, size_t)'),
    mprotect: library.func('int mprotect(void *, size_t, int)'),
    sigaction: library.func('int sigaction(int, void *, void *)'),
    waitpid: library.func('int waitpid(int, void *, int)'),
    sysconf: library.func('long sysconf(int)'),
    fstatfs: library.func('int fstatfs(int, void *)'),
    memfd_create: library.func('int memfd_create(str, uint)'),
    eventfd: library.func('int eventfd(uint, int)'),
    timerfd_create: library.func('int timerfd_create(int, int)'),
    timerfd_settime: library.func('int timerfd_settime(int, int, void *, void *)'),
    poll,
    epoll_create1: library.func('int epoll_create1(int)'),
    epoll_ctl: library.func('int epoll_ctl(int, int, int, void *)'),
    pollAsync: (set, count, timeoutMs) =>
      new Promise((resolve, reject) =>
        poll.async(set, count, timeoutMs, (error: Error | null, result: number) =>
          error === null ? resolve(result) : reject(error),
        ),
      ),
    socket: library.func('int socket(int, int, int)'),
    socketpair: library.func('int socketpair(int, int, int, void *)'),
    bind: library.func('int bind(int, void *, uint)'),
    listen: library.func('int listen(int, int)'),
    accept4: library.func('int accept4(int, void *, void *, int)'),
    connect: library.func('int connect(int, void *, uint)'),
    shutdown: library.func('int shutdown(int, int)'),
    sendmsg: library.func('int64_t sendmsg(int, void *, int)'),
    recvmsg: library.func('int64_t recvmsg(int, void *, int)'),
    clock_gettime: library.func('int clock_gettime(int, void *)'),
    sched_setaffinity: library.func('int sched_setaffinity(int, size_t, void *)'),
    sched_getaffinity: library.func('int sched_getaffinity(int, size_t, void *)'),
    sched_setscheduler: library.func('int sched_setscheduler(int, int, void *)'),
    prctl: library.func('int prctl(int, ulong, ulong, ulong, ulong)'),
    ioctl: library.func('int ioctl(int, ulong, void *)'),
    readv: library.func('int64_t readv(int, void *, int)'),
    writev: library.func('int64_t writev(int, void *, int)'),
    preadv2: library.func('int64_t preadv2(int, void *, int, int64_t, int)'),
    getsockopt: library.func('int getsockopt(int, int, int, void *, void *)'),
    setsockopt: library.func('int setsockopt(int, int, int, void *, uint)'),
    sendto: library.func('int64_t sendto(int, void *, size_t, int, void *, uint)'),
    recvfrom: library.func('int64_t recvfrom(int, void *, size_t, int, void *, void *)'),
    if_nametoindex: library.func('uint if_nametoindex(str)'),
    unshare: library.func('int unshare(int)'),
    bpf: bpf.bind(null, process.arch === 'x64' ? SYS_BPF_X64 : SYS_BPF),
    io_setup: library.func('int64_t syscall(long, uint, void *)').bind(null, ioSetup),
    io_destroy: library.func('int64_t syscall(long, uint64_t)').bind(null, ioDestroy),
    io_getevents: library.func('int64_t syscall(long, uint64_t, long, long, void *, void *)').bind(null, ioGetevents),
    io_submit: library.func('int64_t syscall(long, uint64_t, long, void *)').bind(null, ioSubmit),
    io_uring_setup: ioUringSetup.bind(null, SYS_IO_URING_SETUP),
    io_uring_enter: (fd, toSubmit, minComplete, flags) =>
      ioUringEnter(SYS_IO_URING_ENTER, fd, toSubmit, minComplete, flags, null, 0),
    io_uring_register: ioUringRegister.bind(null, SYS_IO_URING_REGISTER),
  }
}

/**
 * Runs a system call again while a signal interrupts it.
 *
 * @returns its result, never -1
 * @throws VringError ERR_SYSTEM
 */
export function checked(call: string, run: (libc: Libc) => number, detail = ''): number {
  const c = libc()
  for (;;) {
    const result = run(c)
    if (result !== -1) return result
    const errno = c.errno()
    if (errno !== EINTR) throw systemError(call, errno, detail)
  }
}

/**
 * A zeroed buffer whose bytes never move: an ArrayBuffer of its own lies outside the JavaScript heap, where small typed
 * arrays do not. For memory whose address is kept in another structure.
 */
export function fixedBytes(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length))
}
