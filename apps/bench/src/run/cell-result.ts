import { BASELINE } from '../cell/cell-spec.ts'
import { meanFrameBytes } from '../in-process/frames.ts'
import { cellFeatures } from '../in-process/ring-layout.ts'
import { negotiatedNames } from '../results/negotiated.ts'
import type { CellResult, Measured } from '../results/results.ts'
import { sweepValue } from '../results/sweep-value.ts'
import { classRates, sliceResult } from '../slices/class-rates.ts'
import type { Slice, SliceCount } from '../slices/slice.ts'
import { median, medianInterval, quantile, type Random } from '../stats/index.ts'
import type { CellOutcome } from './group-outcome.ts'

/**
 * A cell's outcome as `results.json` has it.
 *
 * @param needed slices that a class needs
 */
export function cellResult(
  { spec, trials, slices, finish, counted, features, failure }: CellOutcome,
  needed: number,
  random: Random,
): CellResult {
  const { all, counted: unmixed } = ratesOf(trials, slices)
  const own = slices?.map(sliceResult)
  const measured: Measured | null =
    all.length === 0 || failure !== null
      ? null
      : {
          mpps: medianInterval(unmixed, random),
          nsPerPacket: {
            median: median(trials.map(({ nsPerPacket }) => nsPerPacket.median)),
            p99: tail(trials, slices),
            trials: trials.map(({ nsPerPacket }) => nsPerPacket.median),
          },
          trials: all,
          packets: trials.reduce((sum, { packets }) => sum + packets, 0),
          ...(own === undefined ? {} : { slices: own, classes: classRates(own, needed, random) }),
        }
  const sweep: Record<string, string | number> = {}
  for (const key of spec.swept) sweep[key] = sweepValue(spec, key)
  const floor = spec.accessor === BASELINE
  return {
    id: spec.id,
    accessor: spec.accessor,
    options: { ...spec.options },
    ring: spec.ring,
    inOrder: spec.inOrder,
    driver: spec.driver,
    backend: spec.backend,
    frameBytes: spec.frameBytes === 0 ? meanFrameBytes(0, 12) : spec.frameBytes,
    queueSize: spec.queueSize,
    batch: spec.batch,
    payload: spec.payload,
    sweep,
    role: floor ? 'floor' : 'accessor',
    measured,
    steps: (finish ?? counted)?.steps ?? {},
    payloadSteps: (finish ?? counted)?.payloadSteps ?? {},
    modelled: [],
    accesses: finish?.accesses ?? {},
    hash: finish === null || floor || failure !== null ? null : finish.hash,
    ringHash: finish === null || finish.ringHash === '' || failure !== null ? null : finish.ringHash,
    features:
      features === null && spec.driver !== 'testpmd' ? negotiatedNames(cellFeatures(spec)) : [...(features ?? [])],
    ...(finish === null ? {} : { residentBytes: finish.residentBytes }),
    ...(failure === null ? {} : { failure }),
  }
}

/** Mpps of each trial in the order they ran, and of those whose cores stayed where they were: all, if none did. */
export function ratesOf(
  trials: readonly SliceCount[],
  slices: readonly Slice[] | null,
): { readonly all: number[]; readonly counted: number[] } {
  const all = trials.map(({ packets, seconds }) => packets / seconds / 1e6)
  const counted = all.filter((_, index) => slices?.[index]?.class !== 'mixed')
  return { all, counted: counted.length === 0 ? all : counted }
}

/**
 * Chunks of a trial have a tail of their own. A slice of a real driver is one figure, and the tail is that of the
 * slices.
 */
function tail(trials: CellOutcome['trials'], slices: readonly Slice[] | null): number {
  const worst = trials.map(({ nsPerPacket }) => nsPerPacket.p99)
  return slices === null ? median(worst) : quantile(worst, 0.99)
}
