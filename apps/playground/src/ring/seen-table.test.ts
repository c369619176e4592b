import { expect, it } from 'vitest'
import { Machine } from '../machine/machine.ts'
import { EXAMPLES } from './examples.ts'
import { seenRows } from './seen-table.ts'

function rowsAtEnd(title: string) {
  const { options, script } = EXAMPLES.find((example) => example.title === title)!
  const machine = new Machine(options)
  for (const action of script) machine.perform(action)
  return seenRows(machine.moments, machine.moments.length - 1)
}

it('what a device saw in a round is what memory says, where it was not changed since', () => {
  const rows = rowsAtEnd('One packet, by copies')
  expect(rows[0]).toMatchObject(['avail.idx', { text: '0x0001' }, { text: '0x0001', mark: undefined }])
  expect(rows.map(([field]) => field)).toContain('used.idx')
  for (const [, device, memory] of rows)
    expect((device as { text: string }).text).toBe((memory as { text: string }).text)
})

it('a load of a frame that was freed is set beside what memory says, as a fault', () => {
  const [idx] = rowsAtEnd('Deaf to the notifier')
  expect(idx).toMatchObject(['avail.idx', { text: '0xaaaa' }, { text: '0x0001', mark: 'bad' }])
})
