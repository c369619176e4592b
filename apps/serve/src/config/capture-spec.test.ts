import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { captureFiles, parseCapture } from './capture-spec.ts'

const read = (text: string) => parseCapture('--capture', text)

test('a capture is a path and options', () => {
  expect(read('/tmp/a b.pcapng')).toMatchObject({
    path: '/tmp/a b.pcapng',
    pair: null,
    direction: null,
    overwrite: false,
  })
  expect(read('a,b=/x.pcapng,pair=3,dir=rx,snaplen=96,rotate=64M,files=8,overwrite')).toEqual({
    path: 'a,b=/x.pcapng',
    given: 'a,b=/x.pcapng',
    pair: 3,
    direction: 'rx',
    snapBytes: 96,
    rotateBytes: 64 << 20,
    files: 8,
    overwrite: true,
  })
})

test.each([
  ['', /names no file; accepted: FILE\[,OPTION\.\.\.\] with pair=N/],
  ['a,snaplen=0', /unusable snaplen; accepted: 1 to 262144/],
  ['a,rotate=10', /unusable rotate; accepted: bytes from 1M on/],
  ['a,dir=up', /unusable dir; accepted: dir=rx, dir=tx/],
  ['a,files=2', /has files without rotate/],
  ['a,rotat=1M', /unknown option rotat; accepted: pair, .*; did you mean rotate\?/],
])('%j is refused', (text, pattern) => {
  expect(() => read(text)).toThrow(pattern)
})

test('of all pairs of several threads each has a file, and a FIFO is refused', () => {
  const files = (text: string, threads: number): unknown[] =>
    captureFiles('--capture', read(text), 3, threads).map(({ path, pair }) => [path, pair])
  expect(files('/a.b/x.y.pcapng', 1)).toEqual([['/a.b/x.y.pcapng', null]])
  expect(files('x,pair=1', 2)).toEqual([['x', 1]])
  expect(files('/a.b/x.y.pcapng', 2)).toEqual([0, 1, 2].map((pair) => [`/a.b/x.y_pair${pair}.pcapng`, pair]))
  const folder = mkdtempSync(join(tmpdir(), 'vring-fifo-'))
  const fifo = join(folder, 'fifo')
  spawnSync('mkfifo', [fifo])
  expect(() => files(fifo, 2)).toThrow(/is a FIFO, and 2 threads serve all pairs; accepted: pair=N, or a file/)
  expect(files(`${fifo},pair=0`, 2)).toEqual([[fifo, 0]])
  rmSync(folder, { recursive: true })
})
