import { EINVAL } from '@vring/layout'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ArrayMap,
  createMap,
  E2BIG,
  type EbpfMap,
  type EbpfMapType,
  EEXIST,
  ENOENT,
  indexKeyOf,
} from '../index.ts'

const value = (byte: number): Uint8Array => new Uint8Array(5).fill(byte)

function make(type: EbpfMapType, maxEntries = 3): EbpfMap {
  const valueBytes = type === 'devmap' || type === 'xskmap' ? 4 : 5
  return createMap({ name: 'm', type, keyBytes: 4, valueBytes, maxEntries })
}

function update(map: EbpfMap, key: number, byte: number, flags = 0): number {
  return map.update(indexKeyOf(key), 0, value(byte), 0, flags)
}

function read(map: EbpfMap, key: number): number | undefined {
  return map.get(indexKeyOf(key))?.[0]
}

describe('array', () => {
  test('all entries are there, none can be created, deleted or added', () => {
    const map = make('array')
    expect(map.keys().length).toBe(3)
    expect(read(map, 2)).toBe(0)
    expect(update(map, 2, 9)).toBe(0)
    expect(read(map, 2)).toBe(9)
    expect([update(map, 3, 1), update(map, 0, 1, 1), update(map, 0, 1, 3), map.delete(indexKeyOf(0), 0)]).toEqual([
      E2BIG,
      EEXIST,
      EINVAL,
      EINVAL,
    ])
    expect(update(map, 0, 4, 2)).toBe(0)
    expect(map.find(indexKeyOf(0xffff_ffff), 0)).toBe(-1)
  })

  test('a per-CPU array gives a program its own copy', () => {
    const map = createMap(
      { name: 'm', type: 'percpu-array', keyBytes: 4, valueBytes: 5, maxEntries: 2 },
      { cpus: 3, cpu: 1 },
    ) as ArrayMap
    update(map, 1, 7)
    expect([0, 1, 2].map((cpu) => map.valueOfCpu(1, cpu)[0])).toEqual([0, 7, 0])
    expect(() => map.valueOfCpu(2, 0)).toThrow(/index is 2; accepted: 0 to 1/)
    expect(() => map.valueOfCpu(0, 3)).toThrow(/cpu is 3; accepted: 0 to 2/)
  })
})

describe('hash', () => {
  test('flags: create only, replace only; a full map refuses new keys and takes old ones', () => {
    const map = make('hash')
    expect([update(map, 1, 1, 2), update(map, 1, 1, 1), update(map, 1, 2, 1), update(map, 1, 3, 2)]).toEqual([
      ENOENT,
      0,
      EEXIST,
      0,
    ])
    expect([update(map, 2, 1), update(map, 3, 1), update(map, 4, 1), update(map, 3, 8), update(map, 5, 1, 4)]).toEqual([
      0,
      0,
      E2BIG,
      0,
      EINVAL,
    ])
    expect([map.delete(indexKeyOf(1), 0), map.delete(indexKeyOf(1), 0), update(map, 4, 6)]).toEqual([0, ENOENT, 0])
    expect([read(map, 1), read(map, 3), read(map, 4)]).toEqual([undefined, 8, 6])
  })

  test.each(['hash', 'lru-hash'] as const)('%s agrees with a Map over any sequence of operations', (type) => {
    const operation = fc.record({
      kind: fc.constantFrom('update', 'delete', 'find'),
      key: fc.nat(12),
      byte: fc.nat(255),
    })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const map = make(type, 6)
        // A Map keeps insertion order: taking a key out and in again makes it the newest.
        const model = new Map<number, number>()
        const touch = (key: number, byte: number): void => {
          if (type === 'lru-hash') model.delete(key)
          model.set(key, byte)
        }
        for (const { kind, key, byte } of operations) {
          if (kind === 'update') {
            const fits = model.has(key) || model.size < 6
            if (!fits && type === 'lru-hash') model.delete(model.keys().next().value!)
            if (fits || type === 'lru-hash') touch(key, byte)
            expect(update(map, key, byte)).toBe(fits || type === 'lru-hash' ? 0 : E2BIG)
          } else if (kind === 'delete') {
            expect(map.delete(indexKeyOf(key), 0)).toBe(model.delete(key) ? 0 : ENOENT)
          } else {
            const at = map.find(indexKeyOf(key), 0)
            const known = model.get(key)
            expect(at < 0 ? undefined : map.values[at]).toBe(known)
            if (known !== undefined) touch(key, known)
          }
        }
        const keys = map.keys().map((key) => key[0]!)
        expect(keys.sort((a, b) => a - b)).toEqual([...model.keys()].sort((a, b) => a - b))
        for (const [key, byte] of model) expect(read(map, key)).toBe(byte)
      }),
      { numRuns: 200 },
    )
  })
})

describe.each(['devmap', 'xskmap'] as const)('%s', (type) => {
  test('entries come and go by index', () => {
    const map = make(type)
    expect(map.find(indexKeyOf(0), 0)).toBe(-1)
    expect([
      update(map, 0, 1, 2),
      update(map, 0, 1, 1),
      update(map, 0, 1, 1),
      update(map, 3, 1),
      update(map, 0, 1, 9),
    ]).toEqual([ENOENT, 0, EEXIST, E2BIG, EINVAL])
    expect(map.keys()).toEqual([indexKeyOf(0)])
    expect([map.delete(indexKeyOf(0), 0), map.delete(indexKeyOf(0), 0), map.delete(indexKeyOf(7), 0)]).toEqual([
      0,
      ENOENT,
      EINVAL,
    ])
  })
})

describe('definitions are checked', () => {
  const definition = { name: 'm', type: 'hash', keyBytes: 4, valueBytes: 8, maxEntries: 4 } as const
  test.each([
    [{ ...definition, keyBytes: 0 }, /key size is 0; accepted: 1 to 512/],
    [{ ...definition, valueBytes: 0 }, /value size is 0/],
    [{ ...definition, maxEntries: 0 }, /max entries is 0/],
    [{ ...definition, maxEntries: 2 ** 31 }, /max entries is 2147483648/],
    [{ ...definition, keyBytes: 512, maxEntries: 2 ** 27 }, /max entries is 134217728; accepted: 1 to 2097152/],
    [{ ...definition, type: 'array', keyBytes: 8 }, /accepted: 4 \(an index\)/],
    [{ ...definition, type: 'xskmap', valueBytes: 8 }, /value size is 8/],
  ] as const)('%o', (bad, reason) => {
    expect(() => createMap(bad)).toThrow(reason)
  })

  test('keys and values of another size are refused from outside', () => {
    const map = createMap(definition)
    expect(() => map.get(new Uint8Array(3))).toThrow(/key bytes is 3; accepted: 4/)
    expect(() => map.set(new Uint8Array(4), new Uint8Array(7))).toThrow(/value bytes is 7; accepted: 8/)
    for (let key = 0; key < 4; key++) map.set(indexKeyOf(key), new Uint8Array(8))
    expect(() => map.set(indexKeyOf(9), new Uint8Array(8))).toThrow(/map is full/)
  })
})

describe('sizes of maps', () => {
  const one = { name: 'm', keyBytes: 4, valueBytes: 8, maxEntries: 1 } as const

  test.each([
    ['array', { valueBytes: 1 << 20, maxEntries: 1 << 20 }],
    ['hash', { maxEntries: 0xffff_ffff }],
    ['lru-hash', { maxEntries: 0xffff_ffff }],
    ['lpm-trie', { keyBytes: 8, flags: 1, maxEntries: 2 ** 31 }],
    ['prog-array', { valueBytes: 4, maxEntries: 0xffff_ffff }],
    ['devmap', { maxEntries: 0xffff_ffff }],
    ['devmap-hash', { maxEntries: 0xffff_ffff }],
    ['ringbuf', { keyBytes: 0, valueBytes: 0, maxEntries: 2 ** 31 }],
    ['perf-event-array', { valueBytes: 4, maxEntries: 0xffff_ffff }],
  ] as const)('a %s of a terabyte is refused', (type, sizes) => {
    expect(() => createMap({ ...one, type, ...sizes })).toThrow(/map m: max entries is \d+; accepted: /)
  })

  test('copies for each CPU count', () => {
    const sizes = { ...one, type: 'percpu-hash', maxEntries: 1 << 24 } as const
    expect(() => createMap(sizes, { cpus: 1024 })).toThrow(/accepted: 1 to 131072/)
  })

  test.each(['hash', 'lru-hash'] as const)(
    'a %s of 2^22 entries is there at once, and works from end to end',
    (type) => {
      const map = createMap({ ...one, type, maxEntries: 1 << 22 })
      for (let key = 0; key < 100; key++) map.set(indexKeyOf(key * 0x1000_0001), new Uint8Array(8).fill(key))
      expect(map.get(indexKeyOf(99 * 0x1000_0001))![0]).toBe(99)
      expect(map.keys().length).toBe(100)
    },
  )

  test('a type that is not there is refused by name and number', () => {
    expect(() => createMap({ ...one, type: 'bloom-filter' })).toThrow(/type is bloom-filter \(30\); accepted: hash, /)
  })

  test('padding is part of a key: as in the kernel, all its bytes are compared', () => {
    const map = createMap({ ...one, type: 'hash', keyBytes: 8, maxEntries: 4 })
    map.set(Uint8Array.of(1, 0, 0, 0, 17, 0, 0, 0), new Uint8Array(8))
    expect(map.get(Uint8Array.of(1, 0, 0, 0, 17, 0, 0, 0))).toBeDefined()
    expect(map.get(Uint8Array.of(1, 0, 0, 0, 17, 0, 0, 9))).toBeUndefined()
    expect(() => map.get(Uint8Array.of(1, 0, 0, 0, 17))).toThrow(/key bytes is 5; accepted: 8/)
  })
})
