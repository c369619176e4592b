import { Worker } from 'node:worker_threads'
import { F_GETFL, F_SETFL, O_NONBLOCK } from '../src/abi.ts'
import { EventFd } from '../src/events/eventfd.ts'
import { libc } from '../src/libc.ts'

/** Signals an eventfd while another thread keeps it full and blocking; exits with 0 when all signals returned. */
const SIGNALS = 50_000

const event = new EventFd(EventFd.create().fd, { shared: process.argv[2] === 'shared' })
const c = libc()
const full = new Uint8Array(new ArrayBuffer(8)).fill(0xff)
full[0] = 0xfe
c.fcntl(event.fd, F_SETFL, c.fcntl(event.fd, F_GETFL, 0) & ~O_NONBLOCK)
c.write(event.fd, full, 8)
// At its maximum and blocking, before the first signal; then with a thread that sets both again and again.
event.signal()
const rounds = new Int32Array(new SharedArrayBuffer(4))
const hostile = new Worker(
  `
  const { workerData: { fd, koffi, rounds } } = require('node:worker_threads')
  const library = require(koffi).load(null)
  const fcntl = library.func('int fcntl(int, int, long)')
  const read = library.func('int64_t read(int, void *, size_t)')
  const write = library.func('int64_t write(int, void *, size_t)')
  const count = new Uint8Array(new ArrayBuffer(8))
  const full = new Uint8Array(new ArrayBuffer(8)).fill(0xff)
  full[0] = 0xfe
  for (;;) {
    // Empties it and fills it, so that a look at it may find room that is gone at the write.
    fcntl(fd, ${F_SETFL}, ${O_NONBLOCK})
    read(fd, count, 8)
    write(fd, full, 8)
    fcntl(fd, ${F_SETFL}, 0)
    Atomics.add(rounds, 0, 1)
  }
  `,
  { eval: true, workerData: { fd: event.fd, koffi: import.meta.resolve('koffi').slice('file://'.length), rounds } },
)
hostile.on('error', () => process.exit(3))
while (Atomics.load(rounds, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
for (let i = 0; i < SIGNALS; i++) event.signal()
process.exit(event.neverWaits && Atomics.load(rounds, 0) > 1 ? 0 : 2)
