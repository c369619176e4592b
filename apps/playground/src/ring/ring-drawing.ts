import {
  AVAIL_IDX_OFFSET,
  availRingOffset,
  PACKED_DESC_BYTES,
  PACKED_DESC_FLAGS_OFFSET,
  PACKED_DESC_ID_OFFSET,
  USED_IDX_OFFSET,
  usedRingOffset,
} from '@vring/layout'
import { QUEUE_SIZE } from '../machine/layout.ts'
import type { Moment } from '../machine/moment.ts'
import { element } from '../page/element.ts'
import { svg } from '../page/svg.ts'
import { AreaView } from './area-view.ts'
import { type SlotState, slotState, wrapAt } from './packed-slots.ts'

/** One place of a drawn ring. */
interface Place {
  readonly text: string
  /** What the text says in words. */
  readonly state: SlotState | 'free'
  readonly mark: string | undefined
}

/** Slots of a circle, and who goes on where. */
interface Circle {
  readonly name: string
  readonly radius: number
  readonly places: readonly Place[]
  readonly pointers: readonly { readonly who: 'driver' | 'device'; readonly slot: number; readonly does: string }[]
}

const SIZE = 360
const MIDDLE = SIZE / 2
const OUTER = 138
const INNER = 82
const SLOT = 21

/** The ring as a ring: of a packed one its descriptors, of a split one avail entries outside and used elements inside. */
export function ringDrawing(moment: Moment, before: Moment): HTMLElement {
  const packed = moment.snapshot.queue.format === 'packed'
  const { circles, middle } = packed ? packedCircles(moment, before) : splitCircles(moment, before)
  const words = circles.flatMap(({ name, places, pointers }) => [
    `${name}: ${places.map(({ text, state }, slot) => `slot ${slot} ${state}${text === '' ? '' : ` ${text}`}`).join(', ')}`,
    ...pointers.map(({ who, slot, does }) => `the ${who} ${does} slot ${slot}`),
  ])
  return element(
    'figure',
    { class: 'ring-drawing' },
    svg(
      'svg',
      { viewBox: `0 0 ${SIZE} ${SIZE}`, role: 'img', 'aria-label': `${[...middle, ...words].join('. ')}.` },
      ...circles.flatMap(drawCircle),
      ...middle.map((line, index) =>
        svg(
          'text',
          { x: MIDDLE, y: MIDDLE + 16 * (index - (middle.length - 1) / 2), class: 'middle', 'text-anchor': 'middle' },
          line,
        ),
      ),
    ),
    element(
      'figcaption',
      { class: 'soft' },
      element('span', { class: 'state available' }, 'available'),
      ' ',
      element('span', { class: 'state used' }, 'used'),
      packed ? ' A slot shows its buffer id; ' : ' Outside avail.ring, inside used.ring, each with its head; ',
      'arrows: where ',
      element('span', { class: 'pointer-driver' }, 'the driver'),
      ' and ',
      element('span', { class: 'pointer-device' }, 'the device'),
      ' go on.',
    ),
  )
}

function packedCircles(moment: Moment, before: Moment): { circles: Circle[]; middle: string[] } {
  const desc = new AreaView('desc', moment, before)
  const { nextAvail, usedIdx, wraps, lastUsed } = moment.snapshot.queue
  const [availWrap, usedWrap] = wraps!
  const places = Array.from({ length: QUEUE_SIZE }, (_, slot): Place => {
    const at = PACKED_DESC_BYTES * slot
    if (!desc.present) return { text: '', state: 'free', mark: undefined }
    const flags = desc.number(at + PACKED_DESC_FLAGS_OFFSET, 2)
    // Up to where the device is, descriptors are of its lap; from there on a new one is, too.
    const ahead = slotState(flags, slot < nextAvail ? availWrap ^ 1 : availWrap) === 'available'
    const own = slotState(flags, wrapAt(slot, nextAvail, availWrap))
    const state = ahead || own === 'available' ? 'available' : own
    const untouched = desc.number(at, 8) === 0
    return {
      text: untouched ? '' : String(desc.number(at + PACKED_DESC_ID_OFFSET, 2)),
      state: untouched ? 'free' : state,
      mark: desc.mark(at, PACKED_DESC_BYTES),
    }
  })
  const circle: Circle = {
    name: 'Descriptor ring',
    radius: OUTER,
    places,
    pointers: [
      { who: 'device', slot: nextAvail, does: 'takes next' },
      { who: 'driver', slot: lastUsed, does: 'takes back next' },
    ],
  }
  return {
    circles: [circle],
    middle: [
      `device takes ${nextAvail}, wrap ${availWrap}`,
      `and uses ${usedIdx}, wrap ${usedWrap}`,
      `driver takes back ${lastUsed}`,
    ],
  }
}

function splitCircles(moment: Moment, before: Moment): { circles: Circle[]; middle: string[] } {
  const [avail, used] = [new AreaView('driver', moment, before), new AreaView('device', moment, before)]
  const { nextAvail, usedIdx, lastUsed } = moment.snapshot.queue
  const availIdx = avail.present ? avail.number(AVAIL_IDX_OFFSET, 2) : 0
  const outside = (slot: number): Place => ({
    text: avail.present && slot < availIdx ? String(avail.number(availRingOffset(slot), 2)) : '',
    state: isWithin(slot, nextAvail, availIdx) ? 'available' : slot < availIdx ? 'of the lap before' : 'free',
    mark: avail.mark(availRingOffset(slot), 2),
  })
  const inside = (slot: number): Place => ({
    text: used.present && slot < usedIdx ? String(used.number(usedRingOffset(slot), 4)) : '',
    state: isWithin(slot, lastUsed, usedIdx) ? 'used' : slot < usedIdx ? 'of the lap before' : 'free',
    mark: used.mark(usedRingOffset(slot), 8),
  })
  const slots = Array.from({ length: QUEUE_SIZE }, (_, slot) => slot)
  return {
    circles: [
      {
        name: 'Avail ring',
        radius: OUTER,
        places: slots.map(outside),
        pointers: [
          { who: 'driver', slot: availIdx % QUEUE_SIZE, does: 'publishes next' },
          { who: 'device', slot: nextAvail % QUEUE_SIZE, does: 'takes next' },
        ],
      },
      {
        name: 'Used ring',
        radius: INNER,
        places: slots.map(inside),
        pointers: [],
      },
    ],
    middle: [`avail.idx ${availIdx}`, `used.idx ${used.present ? used.number(USED_IDX_OFFSET, 2) : 0}`],
  }
}

/** Is a slot one of those of the indices from `from` to before `to`? Indices are free-running, of 16 bits. */
function isWithin(slot: number, from: number, to: number): boolean {
  return (slot - from + 65_536) % QUEUE_SIZE < ((to - from) & 0xffff)
}

function drawCircle({ radius, places, pointers }: Circle): SVGElement[] {
  return [
    svg('circle', { cx: MIDDLE, cy: MIDDLE, r: radius, class: 'track' }),
    ...places.flatMap(({ text, state, mark }, slot) => {
      const { x, y } = placeOf(slot, radius)
      const label = placeOf(slot, radius + SLOT + 9)
      const name = state === 'of the lap before' ? 'old' : state
      return [
        svg('circle', { cx: x, cy: y, r: SLOT, class: `slot ${name}${mark === undefined ? '' : ` ${mark}`}` }),
        svg('text', { x, y: y + 5, 'text-anchor': 'middle', class: 'id' }, text),
        ...(radius === OUTER
          ? [svg('text', { x: label.x, y: label.y + 4, 'text-anchor': 'middle', class: 'number' }, String(slot))]
          : []),
      ]
    }),
    ...pointers.map(({ who, slot }, index) => {
      const angle = angleOf(slot) + (index === 0 ? -0.17 : 0.17)
      const at = (r: number, turn = 0): string => {
        return `${(MIDDLE + r * Math.cos(angle + turn)).toFixed(1)},${(MIDDLE + r * Math.sin(angle + turn)).toFixed(1)}`
      }
      const tip = radius + SLOT - 1
      return svg('polygon', {
        points: [at(tip), at(tip + 13, -0.04), at(tip + 13, 0.04)].join(' '),
        class: `pointer-${who}`,
      })
    }),
  ]
}

/** Slot 0 is on top, the others follow clockwise. */
function angleOf(slot: number): number {
  return (2 * Math.PI * slot) / QUEUE_SIZE - Math.PI / 2
}

function placeOf(slot: number, radius: number): { readonly x: number; readonly y: number } {
  const angle = angleOf(slot)
  return { x: round(MIDDLE + radius * Math.cos(angle)), y: round(MIDDLE + radius * Math.sin(angle)) }
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
