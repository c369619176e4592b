import fc from 'fast-check'
import { expect, it } from 'vitest'
import { displayWidth } from './display-width.ts'
import { wrapLine, wrapText } from './wrap-text.ts'

it('breaks between words, and long words after their parts', () => {
  expect(wrapLine('a line that is too long', 10)).toEqual(['a line', 'that is', 'too long'])
  expect(wrapLine('copy-checked/split/inproc', 14)).toEqual(['copy-checked/', 'split/inproc'])
  expect(wrapLine('abcdefgh', 3)).toEqual(['abc', 'def', 'gh'])
})

it('keeps the indent of a line, and lines that fit as they are', () => {
  expect(wrapText('  one two  three\nfour   five', 11)).toBe('  one two\n  three\nfour   five')
  expect(wrapText('a  b\n', Number.POSITIVE_INFINITY)).toBe('a  b\n')
})

it('colours take no width and stay whole', () => {
  const red = '\u001b[31mred\u001b[39m'
  expect(wrapLine(`${red} and ${red}`, 7)).toEqual([`${red} and`, red])
  expect(wrapLine(`\u001b[31m${'x'.repeat(9)}\u001b[39m`, 4)).toEqual([`\u001b[31m${'x'.repeat(9)}\u001b[39m`])
})

it('loses nothing but spaces and keeps to the width', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z/: ]{0,80}$/), fc.integer({ min: 4, max: 40 }), (line, width) => {
      const pieces = wrapLine(line, width)
      for (const piece of pieces) expect(displayWidth(piece)).toBeLessThanOrEqual(width)
      expect(pieces.join('').replaceAll(' ', '')).toBe(line.replaceAll(' ', ''))
    }),
  )
})
