import type { TrialAnswer } from '../cell/protocol.ts'
import { quantileSorted } from '../stats/index.ts'
import { LAP_PACKETS } from './lap-driver.ts'
import { digest } from './lap-state.ts'
import type { Rig } from './rig.ts'

/** Packets between two looks at the clock: a look costs some 50 ns. */
const CHUNK_PACKETS = 4096
/** Chunks of one trial whose times are kept; later ones count in the rate only. */
const SAMPLES_MAX = 1 << 16

const samples = new Float64Array(SAMPLES_MAX)

/**
 * Runs whole laps for at least `durationMs`.
 *
 * The clock runs over the laps only; hashing is outside it.
 */
export function runTrial(rig: Rig, durationMs: number): TrialAnswer {
  const start = performance.now()
  const deadline = start + durationMs
  let laps = 0
  let chunks = 0
  let now = start
  do {
    for (let done = 0; done < LAP_PACKETS; done += CHUNK_PACKETS) {
      rig.run(CHUNK_PACKETS, Math.min(CHUNK_PACKETS, LAP_PACKETS - done - CHUNK_PACKETS))
      const then = now
      now = performance.now()
      if (chunks < SAMPLES_MAX) samples[chunks++] = now - then
    }
    laps++
  } while (now < deadline)
  const seconds = (now - start) / 1000
  const { delivered, ring } = rig.lapState(laps)
  const ascending = Array.from(samples.subarray(0, chunks).sort(), (ms) => (1e6 * ms) / CHUNK_PACKETS)
  return {
    type: 'trial',
    packets: laps * LAP_PACKETS,
    seconds,
    nsPerPacket: { median: quantileSorted(ascending, 0.5), p99: quantileSorted(ascending, 0.99) },
    hash: digest(delivered),
    ringHash: digest(ring),
  }
}
