import type { Registry } from '@vring/registry'
import type { CellSpec } from '../cell/cell-spec.ts'
import { InprocRig } from '../drivers/inproc.ts'
import { LAP_PACKETS } from './lap-driver.ts'
import type { LapState } from './lap-state.ts'
import { RecordingBackend } from './recording-backend.ts'

/** Packets of the verification run: enough that rings of every size wrap, few enough to hash every frame. */
const VERIFIED_PACKETS = 8192

/**
 * One run outside the clock with every kind of frame and notifications on: hashes each delivered frame, the used ring, the
 * verdicts and the notifications.
 */
export function verifyCell(spec: CellSpec, registry: Registry, seed: number): LapState {
  let recording: RecordingBackend | null = null
  let notifications = 0
  const rig = new InprocRig(spec, registry, {
    seed,
    kinds: 'mixed',
    wrapBackend: (backend) => {
      recording = new RecordingBackend(backend)
      return recording
    },
    notify: () => notifications++,
  })
  try {
    const packets = Math.min(LAP_PACKETS, Math.max(VERIFIED_PACKETS, 2 * spec.queueSize))
    rig.run(packets)
    const delivered = (recording as RecordingBackend | null)?.digest() ?? ''
    const state = rig.lapState(1)
    return { delivered: `${state.delivered} ${delivered}`, ring: `${state.ring} ${notifications}` }
  } finally {
    rig.close()
  }
}
