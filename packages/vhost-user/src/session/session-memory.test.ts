import { describe, expect, test } from 'vitest'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import { region, SessionPair } from '../../test/session-pair.ts'
import { encodeMessage } from '../messages/header.ts'
import { MESSAGES } from '../messages/messages.ts'
import { vringState } from '../messages/payload.ts'

describe('the session of a backend', () => {
  test('a part of a file that is mapped already stays mapped when a table with it comes', () => {
    const pair = new SessionPair().negotiate().start(0)
    const file = pair.host.file('memory')
    const table = [region(0, 0x10_0000), { ...region(0x10_0000, 0x1_0000), mmapOffset: 0 }]
    let maps = 0
    const { mapMemory } = pair.host
    pair.host.mapMemory = (fd, offset, length) => {
      maps++
      return mapMemory.call(pair.host, fd, offset, length)
    }
    pair.host.fileIdentity = () => 'one file'
    pair.send('SET_MEM_TABLE', table, [file, pair.host.file('memory')])
    expect([maps, pair.host.mapped]).toEqual([2, 2])
    pair.send('SET_MEM_TABLE', [table[1]!, table[0]!], [pair.host.file('memory'), pair.host.file('memory')])
    expect([maps, pair.host.mapped]).toEqual([2, 2])
    // Refused as a whole: what was to be kept stays, what was mapped for it goes.
    pair.send(
      'SET_MEM_TABLE',
      [table[0]!, region(0x8_0000, 0x2_0000)],
      [pair.host.file('memory'), pair.host.file('memory')],
      true,
    )
    expect([maps, pair.host.mapped, pair.session.closed]).toEqual([3, 2, false])
    pair.send('SET_MEM_TABLE', [table[0]!], [pair.host.file('memory')])
    expect([maps, pair.host.mapped]).toEqual([3, 1])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('a memory table that overlaps, is longer than its file or lacks a descriptor changes nothing', () => {
    const pair = new SessionPair().negotiate().start(0)
    const files = () => [pair.host.file('memory'), pair.host.file('memory')]
    const ack = ['SET_MEM_TABLE reply ack=1']
    expect(pair.send('SET_MEM_TABLE', [region(), region(0x1000)], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region(), region(2 ** 21, 2 ** 21)], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region()], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region(), region(2 ** 53 - 1)], files(), true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region(0, 0)], [pair.host.file('memory')], true)).toEqual(ack)
    expect(pair.send('SET_MEM_TABLE', [region()], [pair.host.file('junk')], true)).toEqual(ack)
    expect(pair.session.memory.regions).toEqual([region()])
    expect(pair.host.mapped).toBe(1)
    expect(pair.session.activeQueues).toEqual([0])
  })

  test('a ring that loses its memory stops while the memory is still mapped, tells its error, and starts when it is back', () => {
    const pair = new SessionPair().negotiate()
    const error = pair.host.file('event')
    pair.send('SET_VRING_ERR', { index: 0, hasFd: true }, [error])
    pair.start(0)
    let mappedAtStop = 0
    const stop = pair.device.stopQueue.bind(pair.device)
    pair.device.stopQueue = (index) => {
      mappedAtStop = pair.host.mapped
      return stop(index)
    }
    pair.send('REM_MEM_REG', region())
    expect(mappedAtStop).toBe(1)
    expect(pair.host.mapped).toBe(0)
    expect(pair.host.signals.get(error)).toBe(1)
    expect(pair.session.activeQueues).toEqual([])
    pair.send('ADD_MEM_REG', region(), [pair.host.file('memory')])
    expect(pair.session.activeQueues).toEqual([0])
    expect(pair.session.error).toBeNull()
  })

  test('a region that is added for each queue pair goes when it was removed for each', () => {
    const pair = new SessionPair().negotiate().start(0)
    pair.send('REM_MEM_REG', region())
    const add = (one = region()): string[] => pair.send('ADD_MEM_REG', one, [pair.host.file('memory')], true)
    const remove = (): string[] => pair.send('REM_MEM_REG', region(), [], true)
    expect([...add(), ...add()]).toEqual(['ADD_MEM_REG reply ack=0', 'ADD_MEM_REG reply ack=0'])
    expect(pair.host.mapped).toBe(1)
    expect(pair.session.memory.regions).toHaveLength(1)
    // Another part of the file at the same addresses is another region.
    expect(add({ ...region(), mmapOffset: 4096 })).toEqual(['ADD_MEM_REG reply ack=1'])
    expect(remove()).toEqual(['REM_MEM_REG reply ack=0'])
    expect(pair.session.activeQueues).toEqual([0])
    expect(remove()).toEqual(['REM_MEM_REG reply ack=0'])
    expect(pair.host.mapped).toBe(0)
    expect(remove()).toEqual(['REM_MEM_REG reply ack=1'])
    pair.session.close()
    expect(pair.leaks()).toEqual([])
  })

  test('the datapath stands still while memory or a ring changes', () => {
    const device = new RecyclingDevice() as RecyclingDevice & { quiesce(): void; resume(): void }
    device.quiesce = () => void device.calls.push('quiesce')
    device.resume = () => void device.calls.push('resume')
    const pair = new SessionPair(device).negotiate().start(0)
    device.calls.length = 0
    pair.send('SET_MEM_TABLE', [], [])
    expect(device.calls).toEqual(['quiesce', 'stop 0 at 0', 'resume'])
  })

  test('the datapath stands still once for all requests of a look, and goes on when one of them ends the session', () => {
    const device = new RecyclingDevice() as RecyclingDevice & { quiesce(): void; resume(): void }
    device.quiesce = () => void device.calls.push('quiesce')
    device.resume = () => void device.calls.push('resume')
    const pair = new SessionPair(device).negotiate().start(0)
    const enable = (num: number): void => {
      pair.frontend.send(encodeMessage(MESSAGES.SET_VRING_ENABLE.id, 0, vringState.encode({ index: 0, num })), [])
    }
    device.calls.length = 0
    for (let i = 0; i < 20; i++) enable(i % 2)
    const toggled: string[] = []
    // A look ends by time, too.
    while (pair.session.poll() === 'handled') {
      const [first, ...rest] = device.calls.splice(0)
      expect([first, rest.pop()]).toEqual(['quiesce', 'resume'])
      toggled.push(...rest)
    }
    expect(toggled).toEqual(new Array(10).fill(['disable 0', 'enable 0']).flat())
    enable(2)
    expect(pair.session.poll()).toBe('closed')
    expect(device.calls).toEqual(['quiesce', 'stop 0 at 0', 'resume'])
    expect(pair.leaks()).toEqual([])
  })
})
