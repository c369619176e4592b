import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MemoryView, memoryView } from '@vring/memory'
import { FrameBatch } from '@vring/vhost-net'
import { afterAll } from 'vitest'

/** Of the files of these tests; it goes with them. */
export const directory = mkdtempSync(join(tmpdir(), 'vring-pcap-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0
/** Of a file that is not there yet. */
export const path = (): string => join(directory, `${files++}.pcapng`)
export const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures', name)))

/** 2026-01-02T03:04:05.678875Z, which a double of ms carries exactly. */
export const NOW_MS = 1767323045678.875

/** A batch of frames, each after a header of 12 bytes of 0xee. */
export function batch(frames: readonly Uint8Array[]): FrameBatch {
  const bytes = frames.reduce((sum, one) => sum + 12 + one.length, 0)
  const one = new FrameBatch(12, memoryView(new ArrayBuffer((bytes + 3) & ~3)))
  one.view.u8.fill(0xee)
  let at = 0
  frames.forEach((frame, i) => {
    one.view.u8.set(frame, at + 12)
    one.offset[i] = at
    one.length[i] = 12 + frame.length
    at += 12 + frame.length
  })
  one.count = frames.length
  return one
}

export const frame = (fill: number, bytes = 60): Uint8Array<ArrayBuffer> => new Uint8Array(bytes).fill(fill)

/** Memory with a frame at its start. */
export const view = (fill: number): MemoryView => memoryView(frame(fill, 1600).buffer)

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
