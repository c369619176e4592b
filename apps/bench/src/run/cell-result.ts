import { BASELINE } from '../cell-spec.ts'
import { meanFrameBytes } from '../frames.ts'
import type { CellResult, Measured } from '../results.ts'
import { median, medianInterval, type Random } from '../stats/index.ts'
import { sweepValue } from '../sweep-value.ts'
import type { CellOutcome } from './run-group.ts'

/** A cell's outcome as `results.json` has it. */
export function cellResult({ spec, trials, finish, counted, failure }: CellOutcome, random: Random): CellResult {
  const mpps = trials.map(({ packets, seconds }) => packets / seconds / 1e6)
  const measured: Measured | null =
    mpps.length === 0 || failure !== null
      ? null
      : {
          mpps: medianInterval(mpps, random),
          nsPerPacket: {
            median: median(trials.map(({ nsPerPacket }) => nsPerPacket.median)),
            p99: median(trials.map(({ nsPerPacket }) => nsPerPacket.p99)),
            trials: trials.map(({ nsPerPacket }) => nsPerPacket.median),
          },
          trials: mpps,
          packets: trials.reduce((sum, { packets }) => sum + packets, 0),
        }
  const sweep: Record<string, string | number> = {}
  for (const key of spec.swept) sweep[key] = sweepValue(spec, key)
  const floor = spec.accessor === BASELINE
  return {
    id: spec.id,
    accessor: spec.accessor,
    options: { ...spec.options },
    ring: spec.ring,
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
    ...(finish === null ? {} : { residentBytes: finish.residentBytes }),
    ...(failure === null ? {} : { failure }),
  }
}
