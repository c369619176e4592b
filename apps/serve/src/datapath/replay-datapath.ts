import { formatReplayReport, ReplayClock, ReplayFile, ReplaySource } from '@vring/backend-pcap'
import { NET_HDR_MRG_BYTES } from '@vring/layout'
import { DropBackend } from '@vring/vhost-net'
import { type Datapath, nothing, sink } from './datapath-ends.ts'
import type { DatapathSpec } from './datapath-spec.ts'
import { PacedReplay } from './paced-replay.ts'

type ReplaySpec = Extract<DatapathSpec, { kind: 'replay' }>

/** Frames of interface i of the capture go to pair i mod N, all by one clock; what drivers send is dropped. */
export function replayPath(
  { path, replay, clock: cells }: ReplaySpec,
  allPairs: number,
  owned: readonly number[],
  note: (line: string) => void,
): Datapath {
  const file = ReplayFile.open(path)
  const clock = new ReplayClock(undefined, cells)
  // Every source reads the whole file: what the first of them finds is what all find, in every thread.
  const [told] = owned
  let said = ''
  const sources = owned.map((pair) => {
    const source = new ReplaySource(() => file.read(), {
      ...replay,
      headerBytes: NET_HDR_MRG_BYTES,
      clock,
      share: { index: pair, of: allPairs },
      onReport: (report) => {
        const line = `${path}: ${formatReplayReport(report, replay.maxGapMs)}`
        if (told === 0 && line !== said) note(line)
        said = line
      },
    })
    return new PacedReplay(source)
  })
  const pace =
    replay.pace === 'recorded' ? `recorded, gaps of at most ${replay.maxGapMs / 1000} s` : 'as fast as it is taken'
  return {
    ...nothing,
    note: `replaying ${path}: pace ${pace}`,
    pairs: sources.map((source) => ({ ...sink(new DropBackend()), source })),
    sessionEnded: () => clock.pause(),
    close: () => {
      for (const source of sources) source.close()
      file.close()
    },
  }
}
