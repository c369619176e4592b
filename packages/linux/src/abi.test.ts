import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as abi from './abi.ts'
import { unsupportedHost } from './libc.ts'

const COMPILER = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0)
const reason = unsupportedHost() ?? (COMPILER === undefined ? 'no C compiler (cc, gcc or clang)' : null)

const HEADERS = [
  'errno.h',
  'fcntl.h',
  'linux/fs.h',
  'linux/memfd.h',
  'poll.h',
  'sched.h',
  'stddef.h',
  'stdio.h',
  'sys/eventfd.h',
  'sys/mman.h',
  'sys/socket.h',
  'sys/timerfd.h',
  'sys/uio.h',
  'sys/un.h',
  'time.h',
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
  cpu_set_t: abi.CPU_SET,
}

/** Constants whose name in abi.ts is not the one in C. */
const RENAMED: Readonly<Record<string, string>> = { EAGAIN_ERRNO: 'EAGAIN' }

/** Compiles a program that prints one number for each C expression, and runs it. */
function evaluate(expressions: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'vring-abi-'))
  try {
    const lines = expressions.map((text) => `printf("%llu\\n", (unsigned long long)(${text}));`)
    const source = join(folder, 'abi.c')
    const includes = HEADERS.map((header) => `#include <${header}>`)
    writeFileSync(source, ['#define _GNU_SOURCE', ...includes, 'int main(void) {', ...lines, 'return 0; }'].join('\n'))
    const compiled = spawnSync(COMPILER!, ['-o', join(folder, 'abi'), source], { encoding: 'utf8' })
    expect(compiled.stderr).toBe('')
    return spawnSync(join(folder, 'abi'), { encoding: 'utf8' }).stdout.trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe.skipIf(reason !== null)(
  `against this host’s C headers${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    test('structures have the sizes and offsets of abi.ts', () => {
      const expected = Object.entries(STRUCTURES).flatMap(([name, layout]) =>
        Object.entries(layout).map(([field, value]) => ({
          c: field === 'size' ? `sizeof(${name})` : `offsetof(${name}, ${field})`,
          value,
        })),
      )
      const found = evaluate(expected.map(({ c }) => c))
      expect(expected.map(({ c }, index) => `${c} ${found[index]}`)).toEqual(
        expected.map(({ c, value }) => `${c} ${value}`),
      )
    })

    test('constants have the values of abi.ts', () => {
      // Numbers of system calls have names of their own, one for each architecture.
      const constants = Object.entries(abi).filter(
        ([name, value]) => typeof value !== 'object' && !name.startsWith('SYS_'),
      )
      expect(constants.length).toBeGreaterThan(30)
      const found = evaluate(constants.map(([name]) => RENAMED[name] ?? name))
      expect(constants.map(([name], index) => `${name} ${found[index]}`)).toEqual(
        constants.map(([name, value]) => `${name} ${value}`),
      )
    })
  },
)
