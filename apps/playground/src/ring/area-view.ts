import { type Area, VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vring/layout'
import type { Moment, Touch } from '../machine/moment.ts'
import type { Cell } from '../page/data-table.ts'

/** An area at one moment, and how its bytes are to be marked. */
export class AreaView {
  readonly #bytes: Uint8Array | null
  readonly #before: Uint8Array | null
  readonly #touch: Touch | null

  constructor(area: Area, moment: Moment, before: Moment) {
    this.#bytes = moment.snapshot.areas[area]
    this.#before = before.snapshot.areas[area]
    this.#touch = moment.touch?.region === area ? moment.touch : null
  }

  get present(): boolean {
    return this.#bytes !== null
  }

  number(offset: number, length: 2 | 4 | 8): number {
    const { buffer, byteOffset } = this.#bytes!
    const view = new DataView(buffer, byteOffset)
    if (length === 2) return view.getUint16(offset, true)
    const low = view.getUint32(offset, true)
    return length === 4 ? low : low + view.getUint32(offset + 4, true) * 2 ** 32
  }

  cell(offset: number, length: 2 | 4 | 8, show: (value: number) => string = String): Cell {
    if (this.#bytes === null) return { text: '–' }
    return { text: show(this.number(offset, length)), mark: this.mark(offset, length) }
  }

  /** How these bytes are to be marked. */
  mark(offset: number, length: number): Cell['mark'] {
    const touch = this.#touch
    if (touch !== null && offset < touch.offset + touch.length && touch.offset < offset + length)
      return touch.write ? 'written' : 'read'
    const now = this.#bytes
    if (now === null) return undefined
    const before = this.#before
    if (before === null) return 'changed'
    for (let at = offset; at < offset + length; at++) if (now[at] !== before[at]) return 'changed'
    return undefined
  }
}

export const hex = (value: number): string => `0x${value.toString(16)}`

/** `NEXT INDIRECT`, as the standard abbreviates its flags. */
export function descriptorFlags(flags: number): string {
  const names: readonly (readonly [number, string])[] = [
    [VIRTQ_DESC_F_NEXT, 'next'],
    [VIRTQ_DESC_F_WRITE, 'write'],
    [VIRTQ_DESC_F_INDIRECT, 'indirect'],
  ]
  const known = names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name)
  return known.length === 0 ? (flags === 0 ? '–' : hex(flags)) : known.join(', ')
}

/** The caption of an area's table. */
export function areaCaption(title: string, area: AreaView): string {
  return area.present ? title : `${title} (no page there)`
}
