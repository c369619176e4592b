import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadPacketProgram, PacketContext } from '../../test/packet-type.ts'
import {
  type EbpfMap,
  type EbpfProgram,
  indexKeyOf,
  type LoadProgramOptions,
  type PerfEventArray,
  type ProgArray,
  RingBuffer,
} from '../index.ts'

const object = readFileSync(join(import.meta.dirname, '../../fixtures/maps.o'))
const DROP = 1
const PASS = 2
const TX = 3

const number = (bytes: Uint8Array): number => new DataView(bytes.slice().buffer).getUint32(0, true)
const long = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)

describe.each(['compile', 'interpret'] as const)('maps and helpers, engine %s', (engine) => {
  const load = (program: string, options: LoadProgramOptions = {}): EbpfProgram<PacketContext> =>
    loadPacketProgram(object, { program, engine, ...options })
  const run = (program: EbpfProgram<PacketContext>, ...bytes: number[]): number =>
    program.run(new PacketContext(new Uint8Array(bytes)))
  const map = (program: EbpfProgram<PacketContext>, name: string): EbpfMap => program.maps.get(name)!

  test('the longest prefix of an LPM trie decides', () => {
    const program = load('by_route')
    const routes = map(program, 'routes')
    routes.set(Uint8Array.of(8, 0, 0, 0, 10, 0, 0, 0), indexKeyOf(DROP))
    routes.set(Uint8Array.of(24, 0, 0, 0, 10, 0, 1, 0), indexKeyOf(TX))
    expect([run(program, 10, 0, 1, 9), run(program, 10, 0, 2, 9), run(program, 11, 0, 1, 9)]).toEqual([TX, DROP, PASS])
  })

  test('a per-CPU hash counts on the CPU of the program', () => {
    const program = load('by_length', { cpus: 3, cpu: 1 })
    for (let i = 0; i < 5; i++) run(program, 1, 2, 3)
    const { values } = map(program, 'lengths')
    expect([0, 1, 2].map((cpu) => values[cpu * 64 * 8])).toEqual([0, 5, 0])
  })

  test('a ring buffer hands records to its reader in order, and passes over what was discarded', () => {
    const program = load('to_ring')
    const ring = map(program, 'events') as RingBuffer
    expect(ring).toBeInstanceOf(RingBuffer)
    for (let round = 0; round < 600; round++) {
      expect([run(program, 1, 0, 0, round & 0xff), run(program, 0, 0, 0, 0), run(program, 7, 0, 0, 0, 0)]).toEqual([
        2, 2, 2,
      ])
      const records: number[] = []
      expect(ring.drain((record) => records.push(number(record), record.length))).toBe(2)
      expect(records).toEqual([4, 8, 5, 8])
    }
  })

  test('a full ring buffer has no room until it is read', () => {
    const program = load('to_ring')
    const verdicts = Array.from({ length: 300 }, () => run(program, 1, 1, 1, 1))
    expect(verdicts.filter((verdict) => verdict === PASS)).toHaveLength(256)
    expect((map(program, 'events') as RingBuffer).drain(() => {})).toBe(256)
    expect(run(program, 1, 1, 1, 1)).toBe(PASS)
  })

  test('perf events carry what the program says and the start of the packet', () => {
    const program = load('to_perf', { cpus: 2, cpu: 1 })
    expect(run(program, 9, 8, 7)).toBe(PASS)
    const records: unknown[] = []
    expect((map(program, 'samples') as PerfEventArray).drain((cpu, record) => records.push([cpu, ...record]))).toBe(1)
    expect(records).toEqual([[1, 3, 0, 0, 0, 9, 8, 7]])
  })

  test('tail calls go on with the program that the source put there, or fall through', () => {
    const program = load('first')
    expect([run(program, 0), run(program, 1), run(program, 3)]).toEqual([DROP, TX, DROP])
    const stages = map(program, 'stages') as ProgArray
    stages.setProgram(1, null)
    expect(run(program, 1)).toBe(DROP)
    stages.setProgram(3, load('second'))
    expect(run(program, 3)).toBe(TX)
  })

  test('a program that calls itself stops at 33 tail calls', () => {
    const program = load('again')
    for (let runs = 1; runs <= 3; runs++) {
      expect(run(program, 0)).toBe(PASS)
      expect(number(map(program, '.bss').values)).toBe(34 * runs)
    }
  })

  test('a map of maps gives the map that lies under a key', () => {
    const program = load('by_table')
    expect([run(program, 0), run(program, 0), run(program, 3), run(program, 1), run(program, 9)]).toEqual([
      0, 1, 0, 1, 1,
    ])
  })

  test('bpf_loop calls a function until it says so, for_each_map_elem for every entry', () => {
    expect(run(load('loops'))).toBe(TX)
    const program = load('each')
    const counts = map(program, 'counts')
    for (const key of [1, 2, 3]) counts.set(indexKeyOf(key), long(10 * key))
    expect(run(program)).toBe(3)
    expect(new DataView(map(program, '.bss').values.buffer).getBigUint64(8, true)).toBe(140n)
    expect(number(counts.get(indexKeyOf(2))!)).toBe(0)
  })
})
