import { describe, expect, it } from 'vitest'
import { applicableCases, runConformance } from '../src/accessor-conformance.ts'
import { firstAttempt, MISTAKES, type Mistake } from './first-attempt.ts'

/**
 * The case that names each mistake. A window without a mask is none: the ring masks what a driver gives as an index.
 */
const NAMED_BY: Readonly<Record<Exclude<Mistake, 'ok'>, string>> = {
  'notifier-leak': 'close gives every mapping and registration back, a second close does nothing',
  'close-keeps-map': 'close gives every mapping and registration back, a second close does nothing',
  'unmap-leak': 'an area is not mapped while an invalidation of it is open, whatever is done meanwhile',
  'no-dirty': 'what is stored in an area is not lost when its page is reclaimed, whatever its name',
  'plain-if': 'M19: no mispredicted branch makes a device load out of bounds',
  'wrong-area-offset': 'loads give what the driver stored, in the whole of each area',
  'throws-hot':
    'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  undefined: 'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  'undefined-desc': 'descriptors arrive whole, at the index of the output asked for',
  'errno-sign': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'errno-minus1': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'fault-zero': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'throw-on-fault': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'no-acquire': 'only release stores and acquire loads are ordered, and they are',
  'no-release': 'VirtIO 1.3 2.7.8.2: used elements are stored before the index that publishes them',
  'double-fetch': 'every byte is fetched once: no check is followed by a second fetch',
  'double-fetch-desc': 'every byte is fetched once: no check is followed by a second fetch',
  'no-port': 'every byte is fetched once: no check is followed by a second fetch',
  'idx-first': 'stores reach the driver and leave their neighbours alone',
  'last-word': 'stores reach the driver and leave their neighbours alone',
  'no-count': 'every access is counted once, in its area, by the end of the round',
  'wrong-name': 'the accessor carries the name of its plugin',
  'ignores-iotlb': 'without support for a device IOTLB one is refused',
  'no-limit': 'an area that ends above the limit of user space is refused or -EFAULT',
  'no-clac-on-fault': 'stac and clac are balanced on a fault too',
  'no-notifier': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'notifier-throws': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'notifier-undefined': 'an unmapped area is -EFAULT for every access, until it is mapped again',
  'begin-undefined':
    'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  'begin-throws':
    'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  'always-miss':
    'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  async: 'it is created, begins a round, loads a word of each area, ends and closes; else the rest can’t be judged',
  'map-while-open': 'an area is not mapped while an invalidation of it is open, whatever is done meanwhile',
  'empty-endround': 'an accessor that needs prefetch goes another way without it',
  'map-files': 'a ring in a file works, and what the device stored is written back',
  'close-throws-twice': 'close gives every mapping and registration back, a second close does nothing',
  'lie-filebacked': 'without support for files each access falls back, and the counters say so',
  'lie-iotlb': 'a missing translation ends the round and is asked for once; an update resumes it',
  'lie-nofallback': 'an accessor that never falls back counts no access as a fallback',
  'lie-nonotifier': 'an accessor that needs no MMU notifier registers none, and maps nothing',
  'lie-denies': 'without support for files and without a fallback the accessor refuses the ring',
  'lie-noprefetch': 'an accessor that needs no prefetch goes the same way with and without it',
  alloc: 'accesses and rounds allocate nothing once they are optimised',
  'lock-leak': 'every lock that an access or a round takes is released, also after a fault',
  'write-by-name': 'what is stored in an area is not lost when its page is reclaimed, whatever its name',
  'stores-anywhere': 'an area is reached as its access says, and no other way',
}

describe('a first attempt', () => {
  it('without a mistake conforms', () => {
    const plugin = firstAttempt('ok')
    // What an engine allocates for fields that grow is its own; accessors that ship are asked.
    const asked = applicableCases(plugin).filter(({ title }) => title !== NAMED_BY.alloc)
    const failed = runConformance(plugin, { options: {} }, asked).filter(({ failure }) => failure !== null)
    expect(failed.map(({ title, failure }) => `${title}: ${failure}`)).toEqual([])
  })

  it('with each of 46 mistakes fails the case that names it', () => {
    const mistakes = MISTAKES.filter((kind) => kind !== 'ok')
    expect(mistakes.length).toBe(46)
    const lines: string[] = []
    const survivors: string[] = []
    for (const kind of mistakes) {
      const plugin = firstAttempt(kind)
      const asked = applicableCases(plugin).filter(({ title }) => title === NAMED_BY[kind])
      // Where an engine does not say what it allocates, that is not asked.
      if (kind === 'alloc' && asked.length === 0) continue
      const failures = runConformance(plugin, { options: {} }, asked).map(({ failure }) => failure)
      if (failures.length !== 1 || failures[0] === null) survivors.push(kind)
      lines.push(`${kind.padEnd(20)} ${NAMED_BY[kind]}: ${failures[0]}`)
    }
    console.log(lines.join('\n'))
    expect(survivors).toEqual([])
  })
})
