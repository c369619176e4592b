import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { Progress } from './progress.ts'

function shown(columns: number, isTTY: boolean): string {
  const stream = Object.assign(new PassThrough(), { columns, isTTY })
  new Progress(71, stream as unknown as NodeJS.WriteStream).step('vmap-direct:mapping=vmap/split', 'trial 3 of 10')
  return String(stream.read() ?? '')
}

it('says cell and trial, and on a narrow terminal less of the cell', () => {
  expect(shown(80, true)).toBe('\r\u001b[K[1/71] vmap-direct:mapping=vmap/split: trial 3 of 10')
  expect(shown(40, true)).toBe('\r\u001b[K[1/71] vmap-direct:mapp…: trial 3 of 10')
  expect(shown(20, true)).toHaveLength('\r\u001b[K'.length + 19)
})

it('is quiet where there is no terminal', () => {
  expect(shown(80, false)).toBe('')
})
