import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bytesSource, CaptureFile, CaptureSource, openCapture, ReplaySource, readCapture } from './index.ts'

const missing = spawnSync('tshark', ['--version']).error !== undefined

test.skipIf(missing)('tshark reads back frames, interfaces, directions and nanoseconds (needs tshark)', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vring-tshark-'))
  try {
    const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/dumpcap.pcapng')))
    const recorded = readCapture(bytes)
    const file = new CaptureFile(join(directory, 'out.pcapng'), { nowMs: () => 1767323045678.5 })
    const source = new CaptureSource(
      file,
      new ReplaySource(() => openCapture(bytesSource(bytes)), { headerBytes: 12 }),
      'queue-3-rx',
    )
    source.consume(source.receive().count)
    file.close()
    const fields = [
      'frame.interface_name',
      'frame.packet_flags_direction',
      'frame.time_epoch',
      'frame.len',
      '_ws.malformed',
    ]
    const text = execFileSync(
      'tshark',
      ['-r', file.path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
      { encoding: 'utf8' },
    )
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t').slice(0, 4))
    expect(rows).toEqual(
      recorded.packets.map(({ bytes }) => ['queue-3-rx', '0x00000001', '1767323045.678500000', String(bytes.length)]),
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
})
