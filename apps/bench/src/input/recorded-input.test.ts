import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRegistry } from '@vring/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BenchError } from '../bench-error.ts'
import { type CellSpec, makeCell } from '../cell/cell-spec.ts'
import { InprocRig } from '../drivers/inproc.ts'
import { countSteps } from '../in-process/count-steps.ts'
import { LAP_PACKETS } from '../in-process/lap-driver.ts'
import { RecordingBackend } from '../in-process/recording-backend.ts'
import { verifyCell } from '../in-process/verify-cell.ts'
import { readInput } from './recorded-input.ts'

const capture = fileURLToPath(new URL('../../../../packages/backend-pcap/fixtures/dumpcap.pcapng', import.meta.url))
const registry = createRegistry()
const names = registry.accessors.map(({ name }) => name)

function cell(accessor: string, conditions: Partial<CellSpec> = {}): CellSpec {
  return makeCell({ name: accessor, options: {} }, registry.accessor(accessor), { input: capture, ...conditions })
}

describe('recorded input', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-input-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** A classic pcap file of `count` frames of `bytes` zeros. */
  function written(name: string, count: number, bytes: number, linkType = 1): string {
    const words = new Uint32Array([0xa1b2c3d4, 2 | (4 << 16), 0, 0, 65_535, linkType])
    const record = new Uint8Array(16 + bytes)
    new Uint32Array(record.buffer, 0, 4).set([0, 0, bytes, bytes])
    const path = join(folder, name)
    writeFileSync(path, Buffer.concat([new Uint8Array(words.buffer), ...new Array<Uint8Array>(count).fill(record)]))
    return path
  }

  /** The first bytes of a file. */
  function cut(path: string, bytes: number): string {
    const short = join(folder, `${bytes}.cut`)
    writeFileSync(short, readFileSync(path).subarray(0, bytes))
    return short
  }

  it('is the capture’s frames in their order, with their lengths', () => {
    const { frames, longestBytes, meanBytes } = readInput(capture)
    expect(frames.length).toBe(6)
    expect(longestBytes).toBe(Math.max(...frames.map(({ length }) => length)))
    const sum = frames.reduce((total, { length }) => total + length, 0)
    expect(meanBytes).toBeCloseTo(sum / frames.length, 2)
  })

  it('reaches the backend frame by frame, whatever the accessor, and each lap begins with the first', () => {
    const { frames } = readInput(capture)
    for (const name of names) {
      const got: Buffer[] = []
      const rig = new InprocRig(cell(name, { batch: 60 }), registry, {
        seed: 1,
        wrapBackend: (backend) => {
          const recording = new RecordingBackend(backend)
          const transmit = recording.transmit.bind(recording)
          recording.transmit = (batch) => {
            for (let i = 0; i < batch.count; i++) {
              const at = batch.offset[i]!
              got.push(Buffer.from(batch.view.u8.slice(at + batch.headerBytes, at + batch.length[i]!)))
            }
            return transmit(batch)
          }
          return recording
        },
      })
      rig.run(300)
      expect(got).toEqual(Array.from({ length: 300 }, (_, packet) => Buffer.from(frames[packet % 6]!)))
      rig.run(LAP_PACKETS - 300)
      got.length = 0
      rig.run(7)
      expect(got.slice(0, 7)).toEqual(Array.from({ length: 7 }, (_, packet) => Buffer.from(frames[packet % 6]!)))
      rig.close()
    }
  })

  it('gives one hash whatever the accessor, and another one than made frames', () => {
    const hashes = names.map((name) => JSON.stringify(verifyCell(cell(name), registry, 1)))
    expect(new Set(hashes).size).toBe(1)
    expect(JSON.stringify(verifyCell(cell(names[0]!, { input: null }), registry, 1))).not.toBe(hashes[0])
  })

  it('costs a packet the metadata steps of a made frame', () => {
    const made = countSteps(cell('copy-checked', { input: null }), registry, 1)
    expect(countSteps(cell('copy-checked'), registry, 1).metadata).toEqual(made.metadata)
  })

  it('of more frames than the ring holds comes from a buffer each', () => {
    const path = written('many.pcap', 1000, 60)
    const hashes = names.map((name) => JSON.stringify(verifyCell(cell(name, { input: path }), registry, 1)))
    expect(new Set(hashes).size).toBe(1)
  })

  it.each([
    ['a file that is missing', () => join(folder, 'gone.pcapng'), /gone\.pcapng: can't be read \(ENOENT\)/],
    ['a folder', () => folder, /can't be read \(EISDIR\)/],
    ['a file of another format', () => fileURLToPath(import.meta.url), /unknown format.*accepted: pcapng, pcap/],
    ['a capture without Ethernet', () => written('raw.pcap', 3, 60, 101), /has no Ethernet frames/],
    ['pcapng that ends in its first block', () => cut(capture, 20), /is truncated: it ends after 20 bytes, before/],
    [
      'pcap that ends in its header',
      () => cut(written('head.pcap', 1, 60), 23),
      /is truncated: it ends after 23 bytes/,
    ],
    ['pcap that ends in its first frame', () => cut(written('one.pcap', 1, 60), 99), /is truncated: it ends after 99/],
    ['pcap that ends after its header', () => cut(written('no.pcap', 1, 60), 24), /has no Ethernet frames/],
    ['frames that are too short', () => written('short.pcap', 3, 13), /has no Ethernet frames/],
    ['more frames than there is memory for', () => written('long.pcap', 32_769, 60), /accepted: up to 32768 of them/],
  ])('%s is refused with exit code 2', (_what, path, message) => {
    const refusal = ((): unknown => {
      try {
        return readInput(path())
      } catch (error) {
        return error
      }
    })()
    expect(refusal).toBeInstanceOf(BenchError)
    expect(refusal).toMatchObject({ exitCode: 2, message: expect.stringMatching(message) })
    expect((refusal as Error).message).toMatch(/^--input: /)
  })
})
