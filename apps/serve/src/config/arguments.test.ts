import { describe, expect, test } from 'vitest'
import { readArguments } from './arguments.ts'

describe('arguments', () => {
  test('are read by name, in both spellings', () => {
    expect(readArguments(['--socket', '/run/a.sock', '--backend=tap:vring0', '--client', '--queues', '2'])).toEqual({
      socket: '/run/a.sock',
      backend: 'tap:vring0',
      client: true,
      queues: '2',
    })
  })

  test('a plugin may be named several times', () => {
    expect(readArguments(['--plugin', 'a', '--loop', '--plugin=./b.js'])).toEqual({
      plugin: ['a', './b.js'],
      loop: true,
    })
  })

  test('a value may begin with dashes after an equals sign', () => {
    expect(readArguments(['--socket=--odd'])).toEqual({ socket: '--odd' })
  })

  test.each([
    [['--soket', 'a'], '--soket: unknown option; accepted: --socket, .*; did you mean --socket\\?'],
    [['--zzzzzzzzzzz'], '--zzzzzzzzzzz: unknown option; accepted: --socket, [^;]*$'],
    [['--socket'], '--socket: needs a value: PATH'],
    [['--socket', '--client'], '--socket: needs a value: PATH'],
    [['--client=yes'], '--client: is a switch and takes no value'],
    [['drop'], '"drop": unexpected'],
  ])('%j is refused', (args, message) => {
    expect(() => readArguments(args)).toThrow(new RegExp(message))
  })
})
