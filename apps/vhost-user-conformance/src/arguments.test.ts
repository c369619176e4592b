import { describe, expect, test } from 'vitest'
import { readArguments } from './arguments.ts'
import { CASES } from './cases/index.ts'
import { selectCases } from './select-cases.ts'

describe('arguments', () => {
  test('are read as they were given', () => {
    const given = [
      '--socket',
      's',
      '--spawn',
      'x {socket}',
      '--device',
      'blk',
      '--only',
      'a',
      '--only=b',
      '--json',
      '-',
    ]
    expect(readArguments(given)).toEqual({
      socket: 's',
      spawn: 'x {socket}',
      device: 'blk',
      only: ['a', 'b'],
      json: '-',
      junit: null,
      patienceMs: 2000,
      list: false,
      quiet: false,
    })
  })

  test.each([
    [['--sokcet', 'x'], 'did you mean --socket?'],
    [['--socket'], '--socket: needs a value: PATH'],
    [['--socket', 'x', 'y'], '"y": unexpected'],
    [['--socket', 'x', '--socket', 'y'], '--socket: is given twice'],
    [['--device', 'net'], '--socket: missing'],
    [['--socket', 'x', '--device', 'fs'], '--device fs: accepted: net, blk, any'],
    [['--socket', 'x', '--spawn', 'y'], 'does not name {socket}'],
    [['--socket', 'x', '--patience', '1e3'], '--patience 1e3: accepted: 10 to 600000 ms'],
    [['--socket', 'x', '--list=1'], '--list: is a switch and takes no value'],
  ])('%j is refused: %s', (given, message) => {
    expect(() => readArguments(given)).toThrow(message)
  })
})

describe('--only', () => {
  test('selects by clause, id and level, upper and lower case alike', () => {
    expect(selectCases([])).toBe(CASES)
    expect(selectCases(['ring STATES']).length).toBeGreaterThan(10)
    expect(selectCases(['rings/polled']).map(({ id }) => id)).toEqual(['rings/polled'])
    expect(selectCases(['must']).every(({ level }) => level === 'MUST')).toBe(true)
  })

  test('refuses a text that no case has, with the groups and the nearest id', () => {
    expect(() => selectCases(['rings/poled'])).toThrow('groups: negotiation, replies, rings')
    expect(() => selectCases(['rings/poled'])).toThrow('did you mean rings/polled?')
  })
})

describe('the cases', () => {
  test('have ids that are each one case, in lower case, by group', () => {
    const ids = CASES.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z]+)*\/[a-z0-9]+(-[a-z0-9]+)*$/)
  })

  test('cite a section of the vhost-user document or of VirtIO 1.3, and say a fact', () => {
    for (const { clause, title } of CASES) {
      expect(clause).toMatch(/^(vhost-user: [A-Z]|VirtIO 1\.3 \d+(\.\d+)+$)/)
      expect(title).toMatch(/^[^.]{15,140}$/)
    }
  })
})
