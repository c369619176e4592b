import { describe, expect, test } from 'vitest'
import { F_GETFL, F_SETFL, O_NONBLOCK, POLLHUP, POLLIN } from '../abi.ts'
import { clockNs } from '../clock.ts'
import { affinity, setAffinity } from '../cores/affinity.ts'
import { closeFd, duplicateFd } from '../descriptors/fd.ts'
import { libc, unsupportedHost } from '../libc.ts'
import { createMemfd } from '../memory/memfd.ts'
import { UnixSocket } from '../sockets/unix-socket.ts'
import { systemErrnoOf } from '../system-error.ts'
import { EventFd, isEventFd } from './eventfd.ts'
import { PollSet } from './poll.ts'
import { TimerFd } from './timer-fd.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`waiting${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('an eventfd counts signals together, and draining sets it to zero', () => {
    const event = EventFd.create()
    expect(event.drain()).toBe(false)
    event.signal()
    event.signal()
    expect(event.drain()).toBe(true)
    expect(event.drain()).toBe(false)
    event.close()
    event.close()
    event.signal()
    expect(event.drain()).toBe(false)
  })

  test('draining does not wait when a process that shares the eventfd made it blocking', () => {
    const event = EventFd.create()
    const c = libc()
    expect(c.fcntl(event.fd, F_SETFL, c.fcntl(event.fd, F_GETFL, 0) & ~O_NONBLOCK)).toBe(0)
    expect(event.drain()).toBe(false)
    event.signal()
    expect(event.drain()).toBe(true)
    expect(event.drain()).toBe(false)
    event.close()
  })

  test('tells an eventfd from other descriptors', () => {
    const event = EventFd.create()
    const copy = duplicateFd(event.fd)
    const memory = createMemfd('not-an-event', 4096)
    expect([event.fd, copy, memory].map(isEventFd)).toEqual([true, true, false])
    event.close()
    for (const fd of [copy, memory]) closeFd(fd)
  })

  test('poll reports which of many is readable, times out, and sees a hang-up', () => {
    const events = Array.from({ length: 40 }, () => EventFd.create())
    const [one, other] = UnixSocket.pair()
    const poll = new PollSet()
    poll.watch([...events.map((event) => event.fd), one.fd])
    const start = performance.now()
    expect(poll.wait(20)).toBe(0)
    expect(performance.now() - start).toBeGreaterThanOrEqual(19)
    events[33]!.signal()
    expect(poll.wait(-1)).toBe(1)
    expect(poll.fds.map((_, index) => poll.revents(index)).indexOf(POLLIN)).toBe(33)
    events[33]!.drain()
    other.close()
    expect(poll.wait(1000)).toBe(1)
    expect(poll.revents(40) & POLLHUP).toBe(POLLHUP)
    for (const closing of [...events, one]) closing.close()
  })

  test('a thread can be pinned and released again', () => {
    const cpus = affinity()
    expect(cpus.length).toBeGreaterThan(0)
    setAffinity([cpus[0]!])
    expect(affinity()).toEqual([cpus[0]])
    setAffinity(cpus)
    expect(affinity()).toEqual(cpus)
    expect(() => setAffinity([1024])).toThrow('0 to 1023')
    try {
      setAffinity([])
      expect.unreachable()
    } catch (error) {
      expect(systemErrnoOf(error)).toBe('EINVAL')
    }
  })

  test('clocks: time passes while a thread waits, its CPU time hardly', () => {
    const [wall, cpu] = [clockNs('monotonic'), clockNs('thread')]
    const poll = new PollSet()
    poll.wait(30)
    expect(clockNs('monotonic') - wall).toBeGreaterThanOrEqual(29e6)
    expect(clockNs('thread') - cpu).toBeLessThan(25e6)
    expect(clockNs('process')).toBeGreaterThanOrEqual(clockNs('thread'))
  })

  test('a timer becomes readable when its time has come, not before, and once', () => {
    const timer = TimerFd.create()
    const poll = new PollSet()
    poll.watch([timer.fd])
    timer.set(0)
    expect(poll.wait(1000)).toBe(1)
    expect([timer.drain(), timer.drain()]).toEqual([true, false])
    timer.set(30)
    const start = performance.now()
    expect(timer.drain()).toBe(false)
    expect(poll.wait(5000)).toBe(1)
    expect(performance.now() - start).toBeGreaterThan(29)
    // The later time replaces the one before.
    timer.set(0)
    timer.set(60_000)
    expect(poll.wait(0)).toBe(0)
    timer.set(0)
    timer.set(Number.POSITIVE_INFINITY)
    expect(poll.wait(20)).toBe(0)
    expect(() => timer.set(-1)).toThrow(/ms is -1/)
    timer.close()
    timer.close()
    expect(timer.drain()).toBe(false)
  })
})
