import { describe, expect, test } from 'vitest'
import { expectInC, noHeaders, titled } from '../test/c-headers.ts'
import * as abi from './abi.ts'

const HEADERS = [
  'errno.h',
  'fcntl.h',
  'linux/aio_abi.h',
  'linux/fs.h',
  'linux/memfd.h',
  'poll.h',
  'sched.h',
  'signal.h',
  'stddef.h',
  'sys/eventfd.h',
  'sys/mman.h',
  'sys/prctl.h',
  'sys/socket.h',
  'sys/statfs.h',
  'sys/timerfd.h',
  'sys/uio.h',
  'sys/un.h',
  'time.h',
  'unistd.h',
]

/** Structures of abi.ts by their C names. */
const STRUCTURES = {
  'struct iovec': abi.IOVEC,
  'struct msghdr': abi.MSGHDR,
  'struct cmsghdr': abi.CMSGHDR,
  'struct sockaddr_un': abi.SOCKADDR_UN,
  'struct pollfd': abi.POLLFD,
  'struct timespec': abi.TIMESPEC,
  'struct itimerspec': abi.ITIMERSPEC,
  'struct iocb': abi.IOCB,
  'struct io_event': abi.IO_EVENT,
  'struct sigaction': abi.SIGACTION,
  'struct statfs': abi.STATFS,
  cpu_set_t: abi.CPU_SET,
  'struct sched_param': abi.SCHED_PARAM,
}

/** Constants whose name in abi.ts is not the one in C. */
const RENAMED: Readonly<Record<string, string>> = { EAGAIN_ERRNO: 'EAGAIN' }

describe.skipIf(noHeaders !== null)(titled('against this host’s C headers'), () => {
  test('structures have the sizes and offsets of abi.ts', () => {
    const expected = Object.entries(STRUCTURES).flatMap(([name, layout]) =>
      Object.entries(layout).map(([field, value]): [string, number] => [
        field === 'size' ? `sizeof(${name})` : `offsetof(${name}, ${field})`,
        value,
      ]),
    )
    expectInC(HEADERS, expected)
  })

  test('constants have the values of abi.ts', () => {
    // Numbers of system calls have names of their own, one for each architecture.
    const constants = Object.entries(abi)
      .filter(([name, value]) => typeof value !== 'object' && !name.startsWith('SYS_'))
      .map(([name, value]): [string, unknown] => [RENAMED[name] ?? name, value])
    expect(constants.length).toBeGreaterThan(30)
    expectInC(HEADERS, constants)
  })
})
