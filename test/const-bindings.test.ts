import { expect, test } from 'vitest'
import { constBindingsOf } from '../scripts/build/const-bindings.ts'

const converted = (code: string): string => constBindingsOf(code).toString()

test('a top-level binding with a value that is never assigned to becomes a constant', () => {
  expect(converted('var a = 1; var B = class {};\nexport { a, B };')).toBe(
    'const a = 1; const B = class {};\nexport { a, B };',
  )
})

test('one that is assigned to, in whatever way, stays a variable', () => {
  for (const assignment of [
    'a = 1',
    'a++',
    '[a] = [1]',
    '({ x: a = 2 } = {})',
    'for (a of []);',
    'a ||= 1',
    '[...a] = []',
  ])
    expect(converted(`var a = 0; function f() { ${assignment} }`)).toMatch(/^var a/)
  expect(converted('var a;')).toBe('var a;')
})

test('a declaration of both kinds is parted, and the order stays', () => {
  expect(converted('var a = 1, b, c = b = 2, d = 3;')).toBe('const a = 1;\nvar b;\nconst c = b = 2, d = 3;')
})

test('properties of a constant may change, and inner scopes are left alone', () => {
  expect(converted('var a = {}; a.b = 1; a[0]++; function f() { var c = 1; return c }')).toBe(
    'const a = {}; a.b = 1; a[0]++; function f() { var c = 1; return c }',
  )
})
