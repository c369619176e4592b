import { decode, encode } from '@jridgewell/sourcemap-codec'
import { expect, test } from 'vitest'
import { mapLines } from '../scripts/build/map-lines.ts'
import { withoutComments } from '../scripts/build/without-comments.ts'

const stripped = (code: string): string => withoutComments(code).toString()

test('a published module has no comments, and lines that had nothing else are gone', () => {
  expect(stripped('// src/a.ts\nconst a = 1; // one\n/**\n * Two.\n */\nconst b = /* 2 */ 2\n')).toBe(
    'const a = 1; \nconst b =  2\n',
  )
  expect(stripped('const text = "// no comment", pattern = /[/*]/')).toBe(
    'const text = "// no comment", pattern = /[/*]/',
  )
})

test('what tools, commands and licences need of them stays', () => {
  for (const comment of [
    '#!/usr/bin/env node\nf()',
    '/*! MIT */',
    '/* @license MIT */',
    'f(/* @__PURE__ */ g())',
    'import(/* @vite-ignore */ a)',
  ])
    expect(stripped(comment)).toBe(comment)
})

test('a comment over several lines within a statement stays: its line break may end the statement', () => {
  const code = 'function f() {\n  return /* a\n b */ 1\n}'
  expect(stripped(code)).toBe(code)
})

test('a map tells each line of the sources on a line of the module once', () => {
  const all = encode([
    [
      [0, 0, 4, 0],
      [8, 0, 4, 8, 0],
      [12, 0, 5, 2],
      [20, 1, 5, 2],
      [24, 1, 5, 6],
    ],
    [[2, 1, 5, 0]],
  ])
  expect(decode(mapLines(all))).toEqual([
    [
      [0, 0, 4, 0],
      [12, 0, 5, 2],
      [20, 1, 5, 2],
    ],
    [[2, 1, 5, 0]],
  ])
})
