import { expect, it } from 'vitest'
import { showsColours } from './colours.ts'

const TERMINAL = { isTTY: true }

it('colours are for terminals that can show them', () => {
  expect(showsColours(TERMINAL, { TERM: 'xterm' })).toBe(true)
  expect(showsColours(TERMINAL, { TERM: 'dumb' })).toBe(false)
  expect(showsColours({}, { TERM: 'xterm' })).toBe(false)
})

it('a CI job that writes to a file gets none', () => {
  expect(showsColours({}, { CI: 'true' })).toBe(false)
})

it('NO_COLOR takes them away, whatever it says, and FORCE_COLOR asks for them', () => {
  for (const NO_COLOR of ['1', 'yes']) expect(showsColours(TERMINAL, { NO_COLOR, FORCE_COLOR: '1' })).toBe(false)
  expect(showsColours(TERMINAL, { NO_COLOR: '' })).toBe(true)
  expect(showsColours({}, { FORCE_COLOR: '1' })).toBe(true)
  expect(showsColours(TERMINAL, { FORCE_COLOR: '0' })).toBe(false)
})
