import { expect, test } from 'vitest'
import { identifiersOf, RING_DRIVERS, ringFiles, ringPartNames } from '../scripts/ring-parts.ts'
import { readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

/** Files that name parts of a ring and are no ring, and why. */
const NAMED: Readonly<Record<string, string>> = {
  'apps/serve/src/threads/served-device.ts': 'prints where a queue is',
  'packages/explorer/src/exploring-cpu.ts': 'a packed descriptor is stored in pieces, each a step',
  'packages/explorer/src/faulty/faulty-queues.ts':
    'rings as they would be with a fault of 2026, for the explorer to find',
  'packages/vhost-user/src/frontend/driver-ring.ts': 'a ring of a driver in another process',
  'packages/vhost-user/src/inflight/inflight-split.ts': 'notes of chains in flight are told by the used index',
  'packages/vhost-user/src/device/packed-base.ts': 'finds where a packed ring stands, by its flags',
  'packages/vhost-user/src/inflight/packed-descriptors.ts': 'descriptors in the notes of chains in flight',
  'packages/vhost-user/src/device/request-notes.ts': 'notes of chains in flight are told by what was published',
}

test('files that name parts of a ring are known, and fewer than twelve', () => {
  const found = ringFiles(repositoryRoot)
  console.log(
    [...found.map(({ file, parts }) => `${file}: ${parts.join(' ')}`), `${found.length} files outside of rings`].join(
      '\n',
    ),
  )
  expect(found.map(({ file }) => file).sort()).toEqual(Object.keys(NAMED).sort())
  expect(found.length).toBeLessThan(12)
})

test('no accessor and no part of memory is among them', () => {
  const seam = /^packages\/(accessor|memory|iotlb|mmu-notifier)/
  expect(Object.keys(NAMED).filter((file) => seam.test(file))).toEqual([])
  expect(RING_DRIVERS.filter((file) => seam.test(file))).toEqual([])
  expect(readWorkspace().filter(({ folder }) => seam.test(folder)).length).toBeGreaterThan(5)
})

test('a part is found where it stands in code, and not in a comment or a string', () => {
  const names = ringPartNames(repositoryRoot)
  expect(names.size).toBeGreaterThan(40)
  expect(identifiersOf('// USED_IDX_OFFSET\nconst a = { at: AVAIL_IDX_OFFSET, b: "DESC_BYTES" }', names)).toEqual([
    'AVAIL_IDX_OFFSET',
  ])
  expect(identifiersOf('queue.usedIdx++', names)).toEqual(['usedIdx'])
})
