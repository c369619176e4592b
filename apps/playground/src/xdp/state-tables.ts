import { REGION_PACKET, REGION_STACK, STACK_BYTES, type SteppedAccess } from '@vring/ebpf'
import { type Cell, dataTable } from '../page/data-table.ts'
import { element } from '../page/element.ts'
import type { XdpMoment } from './xdp-session.ts'

const ROW_BYTES = 16
const WORD_BYTES = 8

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')

/** Registers as they are, and what the verifier knew of them before the next instruction, over all paths to it. */
export function registerTable({ registers, next }: XdpMoment, previous: XdpMoment | null): HTMLElement {
  const rows = registers.flatMap(({ text, bits }, number): (Cell | string)[][] => {
    const known = next?.known.get(number)
    if (text === '' && known === undefined) return []
    const before = previous?.registers[number]
    const mark = before !== undefined && before.bits !== bits && bits !== '' ? 'changed' : undefined
    const texts = known === undefined ? '' : known.texts.join(' | ') + (known.isMore ? ' | ...' : '')
    return [[`r${number}`, { text, mark }, bits, texts]]
  })
  return dataTable('Before the next instruction', ['register', 'holds', 'bits', 'the verifier knows'], rows)
}

/** The frame in bytes. */
export function packetTable(moment: XdpMoment, previous: XdpMoment | null): HTMLElement {
  const { packet, packetAt, frameAt, access } = moment
  const before = new Map(
    previous === null ? [] : Array.from(previous.packet, (byte, i) => [previous.packetAt + i, byte]),
  )
  const cell = (i: number): Cell => {
    const at = packetAt + i
    const old = before.get(at)
    const isChanged = previous !== null && old !== packet[i]
    return { text: hex(packet[i]!), mark: markOf(access, REGION_PACKET, at, isChanged) }
  }
  const rows: (Cell | string)[][] = []
  for (let start = 0; start < packet.length; start += ROW_BYTES) {
    const length = Math.min(ROW_BYTES, packet.length - start)
    rows.push([String(start - frameAt), ...Array.from({ length }, (_, i) => cell(start + i))])
  }
  const columns = ['offset', ...Array.from({ length: ROW_BYTES }, (_, i) => i.toString(16))]
  const meta = frameAt === 0 ? '' : `, after ${frameAt} bytes of metadata`
  return dataTable(`Frame of ${packet.length - frameAt} bytes${meta}`, columns, rows, 'no byte is left')
}

/** Words of the running frame's stack that hold something, and those just accessed. */
export function stackTable({ stack, access, depth }: XdpMoment, previous: XdpMoment | null): HTMLElement {
  const sameFrame = previous !== null && previous.depth === depth
  // Frames follow one another from 0 on.
  const base = (depth - 1) * STACK_BYTES
  const rows: (Cell | string)[][] = []
  for (let at = STACK_BYTES - WORD_BYTES; at >= 0; at -= WORD_BYTES) {
    const word = stack.subarray(at, at + WORD_BYTES)
    const cells = Array.from(word, (byte, i): Cell => {
      const isChanged = sameFrame && previous.stack[at + i] !== byte
      return { text: hex(byte), mark: markOf(access, REGION_STACK, base + at + i, isChanged) }
    })
    if (word.some((byte) => byte !== 0) || cells.some(({ mark }) => mark !== undefined))
      rows.push([`r10 - ${STACK_BYTES - at}`, ...cells])
  }
  const columns = ['address', ...Array.from({ length: WORD_BYTES }, (_, i) => `+${i}`)]
  const frame = depth > 1 ? `Stack of frame ${depth}` : 'Stack'
  return dataTable(`${frame}: words that are not zero`, columns, rows, 'all zeros')
}

/** Entries of maps that are not zero. */
export function mapTable({ maps }: XdpMoment, previous: XdpMoment | null): HTMLElement {
  const rows = maps.map(({ map, key, value }) => {
    const before = previous?.maps.find((one) => one.map === map && one.key === key)
    const isChanged = previous !== null && before?.value !== value
    return [map, key, { text: value, mark: isChanged ? ('changed' as const) : undefined }]
  })
  return dataTable('Entries that are not zero', ['map', 'key', 'value'], rows, 'none')
}

function markOf(access: SteppedAccess | null, region: number, at: number, isChanged: boolean): Cell['mark'] {
  if (access !== null && access.region === region && at >= access.at && at < access.at + access.bytes)
    return access.writes ? 'written' : 'read'
  return isChanged ? 'changed' : undefined
}

/** What the program answered, or that it has not yet. */
export function verdictLine({ verdict }: XdpMoment): HTMLElement {
  return element('p', { class: 'soft' }, verdict === null ? 'No verdict yet.' : `Verdict: ${verdict}.`)
}
