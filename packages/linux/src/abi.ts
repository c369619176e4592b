/**
 * Layouts of the kernel structures that this package builds by hand, for 64-bit little-endian Linux (x86-64, arm64,
 * riscv64 agree on all of them). A test compares them with the headers of the host's C compiler.
 *
 * Offsets and sizes in bytes.
 */

/** `struct iovec`, `<sys/uio.h>`. */
export const IOVEC = { size: 16, iov_base: 0, iov_len: 8 } as const
/** `struct msghdr`, `<sys/socket.h>`. */
export const MSGHDR = {
  size: 56,
  msg_name: 0,
  msg_namelen: 8,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
  msg_flags: 48,
} as const
/** `struct cmsghdr`, `<sys/socket.h>`; data follows it, each message aligned to 8 bytes. */
export const CMSGHDR = { size: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 } as const
/** `struct sockaddr_un`, `<sys/un.h>`. */
export const SOCKADDR_UN = { size: 110, sun_family: 0, sun_path: 2 } as const
/** `struct pollfd`, `<poll.h>`. */
export const POLLFD = { size: 8, fd: 0, events: 4, revents: 6 } as const
/** `struct timespec`, `<time.h>`. */
export const TIMESPEC = { size: 16, tv_sec: 0, tv_nsec: 8 } as const
/** `struct itimerspec`, `<time.h>`: two `struct timespec`. */
export const ITIMERSPEC = { size: 32, it_interval: 0, it_value: 16 } as const
/** `struct iocb`, `<linux/aio_abi.h>`. */
export const IOCB = { size: 64, aio_lio_opcode: 16, aio_fildes: 20, aio_flags: 56, aio_resfd: 60 } as const
/** `struct io_event`, `<linux/aio_abi.h>`. */
export const IO_EVENT = { size: 32 } as const
/** `struct sigaction`, `<signal.h>`: its sa_mask has 128 bytes, of which the kernel takes 8. */
export const SIGACTION = { size: 152, sa_handler: 0, sa_mask: 8, sa_flags: 136 } as const
/** `struct statfs`, `<sys/statfs.h>`. */
export const STATFS = { size: 120, f_type: 0, f_bsize: 8 } as const
/** `cpu_set_t`, `<sched.h>`: one bit per CPU. */
export const CPU_SET = { size: 128 } as const

/** `struct sched_param`, `<sched.h>`. */
export const SCHED_PARAM = { size: 4, sched_priority: 0 } as const
export const SCHED_OTHER = 0
export const SCHED_FIFO = 1

/** `<sys/prctl.h>` */
export const PR_SET_PDEATHSIG = 1

/** Numbers of system calls; those of 2019 and later are the same on every architecture. */
export const SYS_BPF_X64 = 321
export const SYS_BPF = 280
/** io_setup, io_destroy, io_getevents, io_submit. */
export const SYS_AIO_X64 = [206, 207, 208, 209] as const
export const SYS_AIO = [0, 1, 4, 2] as const
export const SYS_IO_URING_SETUP = 425
export const SYS_IO_URING_ENTER = 426
export const SYS_IO_URING_REGISTER = 427

export const AF_UNIX = 1
export const SOCK_STREAM = 1
export const SOCK_SEQPACKET = 5
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const SOL_SOCKET = 1
export const SCM_RIGHTS = 1
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const SHUT_RD = 0
export const SHUT_RDWR = 2
export const MSG_CMSG_CLOEXEC = 0x40000000

export const F_GETFL = 3
export const F_SETFL = 4
export const F_ADD_SEALS = 1033
export const F_DUPFD_CLOEXEC = 1030
export const F_SEAL_SHRINK = 0x2
export const F_SEAL_GROW = 0x4
export const FALLOC_FL_KEEP_SIZE = 1
export const FALLOC_FL_PUNCH_HOLE = 2
export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000

/** For sysconf(3). */
export const _SC_PAGESIZE = 30
export const SIGBUS = 7
export const SA_SIGINFO = 4
export const F_GET_SEALS = 1034
export const F_GETPIPE_SZ = 1032

export const PROT_READ = 1
export const PROT_WRITE = 2
export const PROT_EXEC = 4
export const MAP_SHARED = 1
export const MAP_PRIVATE = 2
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20
export const MAP_NORESERVE = 0x4000
export const MAP_POPULATE = 0x8000
/** What mmap(2) returns when it fails: (void *) -1. */
export const MAP_FAILED = 0xffff_ffff_ffff_ffffn

export const MFD_CLOEXEC = 0x1
export const MFD_ALLOW_SEALING = 0x2
export const MFD_HUGETLB = 0x4
/** The page size's logarithm stands above this bit in memfd_create's flags. */
export const MFD_HUGE_SHIFT = 26

export const EFD_CLOEXEC = 0o2000000
export const EFD_NONBLOCK = 0o4000
export const TFD_CLOEXEC = 0o2000000
export const TFD_NONBLOCK = 0o4000

/** Of preadv2(2) and io_uring: a read or write that would wait fails with EAGAIN. */
export const RWF_NOWAIT = 8

export const POLLIN = 0x1
export const POLLOUT = 0x4
export const POLLERR = 0x8
export const POLLHUP = 0x10
export const POLLNVAL = 0x20

export const CLOCK_MONOTONIC = 1
export const CLOCK_PROCESS_CPUTIME_ID = 2
export const CLOCK_THREAD_CPUTIME_ID = 3

export const EINTR = 4
/** The same number as the data plane's EAGAIN, without its sign. */
export const EAGAIN_ERRNO = 11
export const EPIPE = 32
export const EOPNOTSUPP = 95
