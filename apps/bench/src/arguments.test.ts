import { describe, expect, it } from 'vitest'
import { oneOf, readArguments } from './arguments.ts'
import { BenchError } from './bench-error.ts'
import { commands } from './commands/index.ts'

function refusal(work: () => unknown): { message: string; exitCode: number } {
  try {
    work()
  } catch (error) {
    if (error instanceof BenchError) return { message: error.message, exitCode: error.exitCode }
    throw error
  }
  throw new Error('it was accepted')
}

const { args } = commands['run']!

describe('arguments', () => {
  it('are read in every spelling', () => {
    const read = readArguments(args, [
      '--accessor',
      'a, b',
      '--trials=5',
      '--smoke',
      '--json',
      '-',
      '--plugin',
      'x',
      '--plugin=y',
    ])
    expect(read.list('accessor')).toEqual(['a', 'b'])
    expect(read.integer('trials', 1, 9, 2)).toBe(5)
    expect(read.integer('seed', 0, 9, 7)).toBe(7)
    expect(read.flag('smoke')).toBe(true)
    expect(read.text('json')).toBe('-')
    expect(read.all('plugin')).toEqual(['x', 'y'])
    expect(read.list('driver')).toBeNull()
  })

  it.each([
    [['--accesor', 'x'], /^--accesor: unknown option; accepted: --accessor, .*; did you mean --accessor\?$/],
    [['--json'], /^--json: needs a value: FILE$/],
    [['--json', '--smoke'], /^--json: needs a value: FILE$/],
    [['--json='], /^--json: needs a value: FILE$/],
    [['--smoke=yes'], /^--smoke: is a switch and takes no value$/],
    [['stray'], /^"stray": unexpected; accepted: --accessor/],
  ])('%j is refused by name', (given, message) => {
    const error = refusal(() => readArguments(args, given))
    expect(error.message).toMatch(message)
    expect(error.exitCode).toBe(2)
  })

  it.each([
    ['ten', /"ten" is not accepted; accepted: an integer from 1 to 1000/],
    ['0', /"0" is not accepted/],
    ['1001', /"1001" is not accepted/],
    ['1e2', /"1e2" is not accepted/],
    ['-1', /is not accepted|needs a value/],
  ])('--trials=%s is refused with its limits', (text, message) => {
    const read = readArguments(args, [`--trials=${text}`])
    expect(refusal(() => read.integer('trials', 1, 1000, 10)).message).toMatch(message)
  })

  it('a value that is given twice is refused with both', () => {
    const read = readArguments(args, ['--trials', '5', '--trials', '6'])
    expect(refusal(() => read.integer('trials', 1, 9, 2)).message).toBe('--trials: is given twice: "5", "6"')
  })

  it('a list refuses duplicates and empty items', () => {
    expect(refusal(() => readArguments(args, ['--accessor', 'a,b,a']).list('accessor')).message).toMatch(
      /a is listed twice/,
    )
    expect(refusal(() => readArguments(args, ['--accessor', 'a,,b']).list('accessor')).message).toMatch(/empty item/)
  })

  it('a name is one of those accepted, or the nearest is offered', () => {
    expect(oneOf('--driver', 'inproc', ['inproc', 'testpmd'])).toBe('inproc')
    expect(refusal(() => oneOf('--driver', 'testpdm', ['inproc', 'testpmd'])).message).toBe(
      '--driver: "testpdm" is unknown; accepted: inproc, testpmd; did you mean testpmd?',
    )
  })
})
