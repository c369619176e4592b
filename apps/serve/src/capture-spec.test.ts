import { expect, test } from 'vitest'
import { parseCapture } from './capture-spec.ts'

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
