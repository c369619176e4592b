import { describe, expect, test } from 'vitest'
import { CliError, EXIT_USAGE, helpText, listOf, type OptionTable, oneOf, readArguments, VARIADIC } from './index.ts'

const TABLE: OptionTable = {
  socket: { type: 'string', valueHint: 'PATH', description: 'a socket' },
  list: { type: 'string', description: 'a list' },
  'no-notifier': { type: 'boolean', description: 'without' },
  client: { type: 'boolean', description: 'connect' },
}

function refused(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(CliError)
    expect((error as CliError).exitCode).toBe(EXIT_USAGE)
    return (error as CliError).message
  }
  throw new Error('it was accepted')
}

describe('arguments', () => {
  test('are read in both spellings, in their order, switches named no-... too', () => {
    const given = readArguments(TABLE, [
      '--socket',
      'a b',
      '--client',
      '--socket=--odd',
      '--no-notifier',
      '--list',
      'x, y',
    ])
    expect(given.all('socket')).toEqual(['a b', '--odd'])
    expect(given.names).toEqual(['socket', 'client', 'no-notifier', 'list'])
    expect([given.flag('client'), given.flag('no-notifier'), given.flag('socket')]).toEqual([true, true, true])
    expect(listOf(given, 'list', ['x', 'y'])).toEqual(['x', 'y'])
    expect(given.text('missing')).toBeNull()
    expect(readArguments(TABLE, []).flag('no-notifier')).toBe(false)
  })

  test.each([
    [
      ['--soket', 'a'],
      '--soket: unknown option; accepted: --socket, --list, --no-notifier, --client; did you mean --socket?',
    ],
    [['--zzzzzzzzzzz'], '--zzzzzzzzzzz: unknown option; accepted: --socket, --list, --no-notifier, --client'],
    [['-x'], '-x: unknown option; accepted: --socket, --list, --no-notifier, --client'],
    [['--socket'], '--socket: needs a value: PATH'],
    [['--socket', '--client'], '--socket: needs a value: PATH'],
    [['--socket='], '--socket: needs a value: PATH'],
    [['--list'], '--list: needs a value'],
    [['--client=yes'], '--client: is a switch and takes no value'],
    [['stray'], '"stray": unexpected; accepted: --socket, --list, --no-notifier, --client'],
    [
      ['--', '--client'],
      '"--client": unexpected; accepted: --socket, --list, --no-notifier, --client; did you mean --client?',
    ],
  ])('%j is refused', (args, message) => {
    expect(refused(() => readArguments(TABLE, args))).toBe(message)
  })

  test('a word that begins the line may have been meant as a command', () => {
    const commands = ['block', 'latency']
    expect(refused(() => readArguments(TABLE, ['blok', '--client'], commands))).toBe(
      '"blok": is no command; accepted: block, latency; did you mean block?',
    )
    expect(refused(() => readArguments(TABLE, ['socket'], commands))).toBe(
      '"socket": is no command; accepted: block, latency; did you mean --socket?',
    )
    expect(refused(() => readArguments(TABLE, ['--client', 'blok'], commands))).toMatch(
      /unexpected; accepted: --socket/,
    )
  })

  test('positionals come by name, the rest into the last that takes it, and a missing one is named', () => {
    const table: OptionTable = {
      before: { type: 'positional', description: 'a file' },
      others: { type: 'positional', valueHint: VARIADIC, required: false, description: 'more' },
    }
    const given = readArguments(table, ['a', 'b', 'c'])
    expect([given.text('before'), given.all('others')]).toEqual(['a', ['b', 'c']])
    expect(refused(() => readArguments(table, []))).toBe('BEFORE: missing: a file')
  })

  test('values are checked with their limits', () => {
    const given = readArguments(TABLE, ['--socket', '7', '--list', '1,2'])
    expect(given.integer('socket', 1, 9, 3)).toBe(7)
    expect(given.integer('nothing', 1, 9, 3)).toBe(3)
    expect(given.integers('list', 1, 2)).toEqual([1, 2])
    expect(refused(() => given.integer('socket', 1, 6, 3))).toBe(
      '--socket: "7" is not accepted; accepted: an integer from 1 to 6',
    )
    expect(refused(() => oneOf('--x', 'opne', ['one', 'two']))).toBe(
      '--x: "opne" is unknown; accepted: one, two; did you mean one?',
    )
    expect(refused(() => readArguments(TABLE, ['--list', 'a,,b']).list('list'))).toMatch(/empty item/)
    expect(refused(() => readArguments(TABLE, ['--list', 'a,a']).list('list'))).toMatch(/a is listed twice/)
    expect(refused(() => readArguments(TABLE, ['--list', 'a', '--list', 'b']).text('list'))).toBe(
      '--list: is given twice: "a", "b"',
    )
  })
})

test('help has every option, every command, and no colours', () => {
  const text = helpText({
    name: 'prog',
    description: 'Does it.',
    options: TABLE,
    commands: { run: 'Runs.' },
    after: 'See more.',
  })
  for (const name of Object.keys(TABLE)) expect(text).toContain(`--${name}`)
  expect(text).toMatch(
    /Usage: prog [\s\S]*Does it\.[\s\S]*--socket <PATH>[\s\S]*-h, --help[\s\S]*run +Runs\.[\s\S]*See more\./,
  )
  expect(text).not.toContain('\u001b')
})

test.each([60, 80, 100])('help fits into a terminal of %i columns', (columns) => {
  const after = 'word '.repeat(50)
  const wide = { type: 'string', valueHint: 'NAME[:OPTION=VALUE]', description: after } as const
  const lines = helpText(
    { name: 'prog', description: 'Does it. '.repeat(30), options: { ...TABLE, accessor: wide }, after },
    columns,
  ).split('\n')
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns)
})
