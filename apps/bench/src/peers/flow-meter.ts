import { CellFailure } from '../cell-process.ts'

/** Frames that say that the driver sends: interfaces that come up have some of their own to tell (IPv6, multicast). */
export const FLOW_FRAMES = 1024
/** How long these may take, in ms. */
const FLOW_LIMIT_MS = 20_000
const LOOK_MS = 50

/** Frames of a stretch of time. */
export interface Flow {
  readonly packets: number
  readonly seconds: number
}

/**
 * Waits until frames flow, lets the flow settle, and counts for a while.
 *
 * @param count frames so far
 * @throws CellFailure when too few come, or they stop
 */
export async function measureFlow(
  count: () => Promise<number> | number,
  options: { readonly warmUpMs: number; readonly durationMs: number },
): Promise<Flow> {
  const end = performance.now() + FLOW_LIMIT_MS
  while ((await count()) < FLOW_FRAMES) {
    if (performance.now() > end) throw new CellFailure(`no flow of frames within ${FLOW_LIMIT_MS / 1000} s`)
    await pause(LOOK_MS)
  }
  await pause(options.warmUpMs)
  const from = await count()
  const started = performance.now()
  await pause(options.durationMs)
  const packets = (await count()) - from
  if (packets === 0) throw new CellFailure('frames stopped')
  return { packets, seconds: (performance.now() - started) / 1000 }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
