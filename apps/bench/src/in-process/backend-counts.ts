import type { NetBackend } from '@vring/vhost-net'
import { XdpBackend } from '@vring/vhost-net'
import { XDP_VERDICT_NAMES, Xdp1, Xdp2 } from '@vring/xdp'

/** Everything that a backend counted since it was made, as flat names: frames, bytes, verdicts, protocols. */
export function backendCounts(backend: NetBackend): Record<string, number> {
  const { txFrames, txBytes, txDropped } = backend.counters
  const counts: Record<string, number> = { txFrames, txBytes }
  for (const [reason, count] of Object.entries(txDropped)) counts[`dropped.${reason}`] = count
  if (!(backend instanceof XdpBackend)) return counts
  for (const [verdict, name] of XDP_VERDICT_NAMES.entries())
    addNonZero(counts, `verdict.${name}`, backend.verdicts[verdict]!)
  const { program } = backend
  if (program instanceof Xdp1 || program instanceof Xdp2)
    for (const [protocol, count] of program.counters.entries()) addNonZero(counts, `proto.${protocol}`, count)
  return counts
}

/** What was counted between two calls of {@link backendCounts}. */
export function countsBetween(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [name, count] of Object.entries(after)) counts[name] = count - (before[name] ?? 0)
  return counts
}

function addNonZero(counts: Record<string, number>, name: string, count: number): void {
  if (count !== 0) counts[name] = count
}
