import { type ChildProcess, spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import type { EventFd } from '@vring/linux'

/** Signals an eventfd from another process, after a while. */
export function signalLater(event: EventFd, seconds: number): ChildProcess {
  return spawn('sh', ['-c', `sleep ${seconds}; printf '\\001\\000\\000\\000\\000\\000\\000\\000' >&3`], {
    stdio: ['ignore', 'ignore', 'ignore', event.fd],
  })
}

/** Sets an empty eventfd to its maximum: it is not writable. */
export function fill(fd: number): void {
  const full = new Uint8Array(8).fill(0xff)
  full[0] = 0xfe
  writeSync(fd, full)
}
