import { expect, it } from 'vitest'
import { terminalWidth } from './terminal-width.ts'

it('is that of the terminal, or what COLUMNS says of one that does not know', () => {
  expect(terminalWidth({ isTTY: true, columns: 40 }, { COLUMNS: '90' })).toBe(40)
  expect(terminalWidth({ isTTY: true, columns: 0 }, { COLUMNS: '90' })).toBe(90)
  expect(terminalWidth({ isTTY: true }, {})).toBe(Number.POSITIVE_INFINITY)
  expect(terminalWidth({ isTTY: true, columns: 3 }, {})).toBe(24)
})

it('has no end in a pipe, whatever COLUMNS says', () => {
  expect(terminalWidth({}, { COLUMNS: '40' })).toBe(Number.POSITIVE_INFINITY)
})
