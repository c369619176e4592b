import { KNOWN_PLACEMENTS, PLACEMENTS, type Placement } from '../placement/classes.ts'
import type { CellResult, PeerResult, Results } from '../results/results.ts'
import { cellPaths, ringText, sweptNames, sweptValues } from '../results/varied-conditions.ts'
import { floorFor } from '../run/noise-floor.ts'
import { slicesIn, sliceTally } from '../slices/class-rates.ts'
import { SLICES_A_ROW } from '../slices/slice-times.ts'
import { formatFloor, formatRateInterval, formatRatio } from '../terminal/format.ts'
import type { Placed } from './parts.ts'
import type { ReportTable } from './report-tables.ts'
import type { Strip } from './row-charts.ts'

type Sliced = Pick<PeerResult, 'slices' | 'classes'>

/** A cell or a peer that was measured in slices. */
interface SlicedRow {
  readonly name: string
  readonly path: readonly string[]
  readonly of: Sliced
  readonly features: readonly string[]
  /** Of a cell: what part of the rate of the peer of this name it has. */
  ratio(place: Placement, peer: string): string
}

/** Rates where driver and device are near, between and far: a row for each class of each cell and peer. */
export function nearFarTable(results: Results): ReportTable {
  const rows = slicedRows(results)
  // A peer is measured once for each ring that it serves.
  const peers = [...new Set(results.peers.flatMap(({ name, classes }) => (classes === undefined ? [] : [name])))]
  return {
    caption: nearFarCaption(results),
    columns: [
      { title: 'cell' },
      { title: 'cores' },
      { title: 'measured Mpps [95 %]', number: true },
      { title: 'slices', number: true },
      ...peers.map((peer) => ({ title: `of ${peer} [95 %]`, number: true })),
      { title: 'negotiated' },
    ],
    rows: rows.flatMap((row) =>
      shownClasses(row.of).map((place) => [
        row.name,
        place,
        classText(row.of, place, results),
        String(countOf(row.of, place)),
        ...peers.map((peer) => row.ratio(place, peer)),
        row.features.join(' ') || '–',
      ]),
    ),
    paths: rows.flatMap(({ path, of }) => shownClasses(of).map(() => path)),
  }
}

/** A cell against itself in each class: what is no difference. */
export function floorTable({ noiseFloor }: Results): ReportTable {
  const classes = noiseFloor?.classes
  const seen =
    classes === undefined ? [] : PLACEMENTS.filter((place) => place !== 'unknown' || classes.unknown !== null)
  return {
    caption:
      'A cell against itself in another process, by slices that ran one after the other. No verdict on a smaller difference.',
    columns: [
      { title: 'cores' },
      { title: 'ratio [95 %]', number: true },
      { title: 'rounds', number: true },
      { title: 'floor', number: true },
    ],
    rows: seen.map((place) => {
      const interval = classes?.[place] ?? null
      return [
        place,
        interval === null ? '–' : formatRatio(interval, 3),
        interval === null ? '0' : String(interval.slices),
        formatFloor(floorFor(noiseFloor, place)),
      ]
    }),
  }
}

/** Every slice of each class, with median and interval. */
export function nearFarStrips(results: Results): Placed<Strip>[] {
  return PLACEMENTS.flatMap((place) =>
    slicedRows(results).flatMap(({ name, of }): Placed<Strip>[] => {
      const rate = of.classes?.[place] ?? null
      if (rate === null) return []
      const values = slicesIn(of.slices ?? [], place).map(({ mpps }) => mpps)
      return [{ path: [place], item: { label: `${place}: ${name}`, values, ...rate.mpps } }]
    }),
  )
}

/** What a run has to say about where its cores were, a line each. */
export function placementNotes({ placement, cells, peers }: Results): string[] {
  if (placement === undefined) return []
  const all = [
    ...cells.flatMap(({ measured }) => measured?.slices ?? []),
    ...peers.flatMap(({ slices = [] }) => slices),
  ]
  const mixed = all.filter((slice) => slice.class === 'mixed').length
  const unknown = cells.some(({ measured }) => measured?.classes?.unknown != null)
  const why =
    2 * mixed > all.length
      ? `the hypervisor moved the cores within ${mixed} of ${all.length} slices`
      : 'no class occurred in as many slices as a row needs'
  return [...placement.notes, ...(unknown ? [`class unknown: ${why}`] : [])]
}

/** `near 18.0 [17.8, 18.3], far 4.71 [4.69, 4.72]`: the classes of a cell that have a rate. */
export function classRatesText({ classes }: Sliced): string {
  const known = PLACEMENTS.flatMap((place) => {
    const rate = classes?.[place] ?? null
    return rate === null ? [] : [`${place} ${formatRateInterval(rate.mpps)}`]
  })
  return known.length === 0 ? '–' : known.join(', ')
}

function slicedRows(results: Results): SlicedRow[] {
  const cells = results.cells.filter(({ measured }) => measured?.classes !== undefined)
  const [nameOf, pathOf] = [sweptNames(cells), cellPaths(cells)]
  // One for each ring; a peer that serves no driver has none.
  const rings = results.peers.flatMap(({ ring, inOrder }) => (ring === undefined ? [] : [ringText(ring, inOrder)]))
  const several = new Set(rings).size > 1
  const ringOf = ({ ring, inOrder }: PeerResult): string[] =>
    several && ring !== undefined ? [ringText(ring, inOrder)] : []
  return [
    ...cells.map((cell) => ({
      name: nameOf(cell),
      path: pathOf(cell),
      of: cell.measured!,
      features: cell.features ?? [],
      ratio: (place: Placement, peer: string) => ratioText(results, cell, place, peer),
    })),
    ...results.peers.flatMap((peer): SlicedRow[] =>
      peer.classes === undefined
        ? []
        : [
            {
              name: `${peer.name} ${peer.version} (${['peer', ...ringOf(peer), ...sweptOf(peer, cells)].join(', ')})`,
              path: ['peers'],
              of: peer,
              features: peer.features ?? [],
              ratio: () => '–',
            },
          ],
    ),
  ]
}

/** Where the cells that a peer is compared with stand in a sweep. */
function sweptOf({ ratios = [] }: PeerResult, cells: readonly CellResult[]): string[] {
  const compared = cells.find(({ id }) => ratios.some(({ cell }) => cell === id))
  return compared === undefined ? [] : sweptValues(compared)
}

function ratioText({ peers }: Results, { id }: CellResult, place: Placement, peer: string): string {
  const ratios = peers.flatMap(({ name, ratios = [] }) => (name === peer ? ratios : []))
  const found = ratios.find((one) => one.cell === id && one.class === place)
  return found === undefined ? '–' : formatRatio(found.ratio)
}

/** The three that can be told; unknown, where it is all there is. */
function shownClasses({ classes }: Sliced): readonly Placement[] {
  return classes?.unknown == null ? KNOWN_PLACEMENTS : ['unknown']
}

function countOf({ slices = [] }: Sliced, place: Placement): number {
  return slicesIn(slices, place).length
}

function classText(of: Sliced, place: Placement, { placement }: Results): string {
  const rate = of.classes?.[place] ?? null
  if (rate !== null) return formatRateInterval(rate.mpps)
  return countOf(of, place) > 0 ? `fewer than ${Math.min(placement?.needed ?? SLICES_A_ROW, SLICES_A_ROW)}` : 'not seen'
}

function nearFarCaption({ placement, cells, peers }: Results): string {
  if (placement === undefined) return 'Rates by where the cores were.'
  const { bounds, sliceMs, cores, method, fifo, needed, patienceMs } = placement
  const all = [
    ...cells.flatMap(({ measured }) => measured?.slices ?? []),
    ...peers.flatMap(({ slices = [] }) => slices),
  ]
  const where = cores === null ? 'one CPU' : `driver on CPU ${cores[0]}, device on CPU ${cores[1]}`
  const sittings = 1 + Math.max(0, ...all.map(({ sitting = 0 }) => sitting))
  return [
    `Slices of ${sliceMs} ms in turn, ${where}, ${sittings === 1 ? 'one sitting' : `${sittings} sittings, each of new processes`}.`,
    `The round trip of a cache line between the two, before and after each slice (${method ?? 'not measured'}${fifo ? ', SCHED_FIFO' : ''}), gives its class:`,
    `near below ${bounds.nearNs} ns, far from ${bounds.farNs} ns on; a slice whose ends differ is mixed and in no rate.`,
    `Slices: ${sliceTally(all) || 'none'}. A row needs ${Math.min(needed, SLICES_A_ROW)} of its class; a class was waited for up to ${Math.round(patienceMs / 1000)} s.`,
  ].join(' ')
}
