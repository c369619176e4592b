import { mutantsOf, type RingMutant } from './ring-mutant.ts'

/** Mutants of `indirect-table.ts`. */
export const indirectTableMutants: readonly RingMutant[] = mutantsOf('indirect-table.ts', [
  {
    name: 'table without stac',
    flaw: 'a table is read without permission to touch user pages',
    edits: [['    cpu.stac()\n', '']],
    killedBy: 'packed > by windows > user pages are open while a table is read, and only then',
    kitCase:
      'a batch counts each descriptor that was walked, ends when it were enough, and holds no more than its columns',
  },
  {
    name: 'table without clac',
    flaw: 'user pages stay open after a table was read',
    edits: [['    cpu.clac()\n', '']],
    killedBy: 'split > by windows > user pages are open while a table is read, and only then',
    kitCase: 'an indirect table may lie anywhere, across pages too, and user memory is closed after it',
  },
  {
    name: 'table alignment',
    flaw: 'a table is read by words wherever it begins',
    edits: [
      [
        'if ((at & 3) === 0) cpu.loadWords(buffers.view.u32, at >>> 2, words, 0, 4)\n      else cpu.copy(',
        'if (at > 0) cpu.loadWords(buffers.view.u32, at >>> 2, words, 0, 4)\n      else cpu.copy(',
      ],
    ],
    killedBy: 'a split ring by windows > chains > an indirect table may have any alignment',
    kitCase: 'an indirect table may lie anywhere, across pages too, and user memory is closed after it',
  },
  {
    name: 'table across regions',
    flaw: 'the rest of a descriptor in another region is left out',
    edits: [
      [
        'for (let done = 0; done < DESC_BYTES; done += buffers.span) {',
        'for (let done = 0; done < 1; done += buffers.span) {',
      ],
    ],
    killedBy: 'split > by windows > a table may cross regions, at any byte',
    kitCase: 'an indirect table may lie anywhere, across pages too, and user memory is closed after it',
  },
  {
    name: 'table miss',
    flaw: 'a missing translation is a fault',
    edits: [['return at === EAGAIN ? EAGAIN : EFAULT', 'return EFAULT']],
    killedBy: 'packed > by windows > an indirect table whose translation is missing ends the batch before its chain',
    kitCase: 'an indirect table whose translation is missing ends the batch before its chain, at any entry of it',
  },
])
