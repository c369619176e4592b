import { LinuxTapQueue } from '@vring/backend-tap/linux'
import type { Registry } from '@vring/registry'
import { DropBackend } from '@vring/vhost-net'
import { captureFiles } from '../config/capture-spec.ts'
import { type Datapath, openAll, type PairEnds, sink } from './datapath-ends.ts'
import type { DatapathSpec } from './datapath-spec.ts'
import { afXdpPath, tapPath } from './device-datapaths.ts'
import { dropPath, loadPrograms, loopbackPath, pcapPath, pluginPath, programPath } from './process-datapaths.ts'
import { replayPath } from './replay-datapath.ts'

/** Of the pairs of other threads. */
const ELSEWHERE: PairEnds = sink(new DropBackend())

/**
 * Builds the backends of the pairs of one thread.
 *
 * @param owned its pairs, ascending
 * @param note takes one line for people, whenever there is one; `debug` what programs print
 * @throws VringError when a file or a device can't be used; ServeError for a program
 */
export async function createDatapath(
  spec: DatapathSpec,
  queuePairs: number,
  owned: readonly number[],
  note: (line: string) => void,
  debug: (line: string) => void,
  registry: Registry,
): Promise<Datapath> {
  const path = await ownDatapath(spec, queuePairs, owned, note, debug, registry)
  const pairs = Array.from({ length: queuePairs }, (_, pair) => path.pairs[owned.indexOf(pair)] ?? ELSEWHERE)
  return { ...path, pairs, setReceiving: (pair, now) => path.setReceiving(owned.indexOf(pair), now) }
}

/** Its pairs are `owned`, in that order. */
async function ownDatapath(
  spec: DatapathSpec,
  allPairs: number,
  owned: readonly number[],
  note: (line: string) => void,
  debug: (line: string) => void,
  registry: Registry,
): Promise<Datapath> {
  const queuePairs = owned.length
  switch (spec.kind) {
    case 'drop':
      return spec.program === null
        ? dropPath(queuePairs)
        : programPath(await loadPrograms(spec.program, queuePairs, debug))
    case 'loopback':
      return loopbackPath(queuePairs)
    case 'pcap':
      return pcapPath(
        captureFiles('--backend', spec.capture, allPairs, owned.length < allPairs ? allPairs : 1).filter(
          ({ pair }) => pair === null || owned.includes(pair),
        ),
        owned,
        note,
      )
    case 'replay':
      return replayPath(spec, allPairs, owned, note)
    case 'plugin':
      return pluginPath(registry.backend(spec.name), spec.argument, queuePairs)
    case 'tap':
      return tapPath(
        openAll(of(spec.queues, owned), (handle) => new LinuxTapQueue(handle)),
        spec.receiving,
      )
    case 'af-xdp':
      return afXdpPath(spec, owned)
  }
}

function of<T>(all: readonly T[], owned: readonly number[]): T[] {
  return owned.map((pair) => all[pair]!)
}
