import { CaptureFile, CaptureSource, PcapBackend } from '@vring/backend-pcap'
import type { FrameSource, NetBackend } from '@vring/vhost-net'
import type { CaptureSpec } from '../config/capture-spec.ts'
import { usageError } from '../serve-error.ts'
import type { CaptureSnapshot } from '../status/snapshot.ts'

/** What a capture needs of the ends of a queue pair. */
interface Ends {
  readonly backend: NetBackend
  readonly source: FrameSource | null
}

/** One capture of one or all queue pairs, with what stands before their backends meanwhile. */
class Capture {
  readonly spec: CaptureSpec
  readonly file: CaptureFile
  /** By pair; null: not captured. */
  readonly backends: readonly (((next: NetBackend) => NetBackend) | null)[]
  readonly sources: readonly (((source: FrameSource) => FrameSource) | null)[]

  constructor(spec: CaptureSpec, queuePairs: number, note: (line: string) => void) {
    this.spec = spec
    this.file = openCapture(spec, note)
    const pairs = Array.from({ length: queuePairs }, (_, pair) => spec.pair === null || spec.pair === pair)
    const { file } = this
    this.backends = pairs.map((mine, pair) => {
      if (!mine || spec.direction === 'rx') return null
      const interfaceId = file.addInterface(`tx-${pair}`)
      return (next) => new PcapBackend(file, { interfaceId, next })
    })
    this.sources = pairs.map((mine, pair) => {
      if (!mine || spec.direction === 'tx') return null
      const interfaceId = file.addInterface(`rx-${pair}`)
      return (source) => new CaptureSource(file, source, interfaceId)
    })
  }

  snapshot(): CaptureSnapshot {
    const { path, captured, lost, trouble } = this.file
    return { path, frames: captured, lost, trouble }
  }
}

/** The captures that run. Without one the ends of a pair are what they were: nothing stands in their way. */
export class Captures {
  private readonly ends: readonly Ends[]
  private readonly note: (line: string) => void
  private running: Capture[] = []

  constructor(ends: readonly Ends[], note: (line: string) => void) {
    this.ends = ends
    this.note = note
  }

  /** Where the frames of a pair's driver go now. */
  backend(pair: number): NetBackend {
    let end = this.ends[pair]!.backend
    for (const { backends } of this.running) end = backends[pair]?.(end) ?? end
    return end
  }

  /** Where the frames for a pair's driver come from now. */
  source(pair: number): FrameSource | null {
    let end = this.ends[pair]!.source
    for (const { sources } of this.running) if (end !== null) end = sources[pair]?.(end) ?? end
    return end
  }

  /**
   * Begins a capture.
   *
   * @throws VringError when its file can't be created; ServeError: another capture writes to it
   */
  begin(spec: CaptureSpec): void {
    // Two would write over each other.
    if (this.running.some((one) => one.spec.path === spec.path))
      throw usageError('capture', `another capture goes to ${spec.path}; accepted: a file for each`)
    this.running = [...this.running, new Capture(spec, this.ends.length, this.note)]
  }

  /** Ends the captures into this file, or that were asked for by its path. @returns whether there was one */
  end(path: string): boolean {
    const ended = this.running.filter(({ spec }) => spec.path === path || spec.given === path)
    this.running = this.running.filter((one) => !ended.includes(one))
    for (const { file } of ended) file.close()
    return ended.length > 0
  }

  /** Writes out what has gathered. */
  sync(): void {
    for (const { file } of this.running) file.sync()
  }

  snapshot(): CaptureSnapshot[] {
    return this.running.map((one) => one.snapshot())
  }

  close(): void {
    for (const { file } of this.running) file.close()
    this.running = []
  }
}

/**
 * Creates the file of a capture; what happens to it is one line each time.
 *
 * @throws VringError
 */
export function openCapture(spec: CaptureSpec, note: (line: string) => void): CaptureFile {
  const { path, snapBytes, overwrite, rotateBytes, files } = spec
  return new CaptureFile(path, {
    snapBytes,
    overwrite,
    ...(rotateBytes === null ? {} : { rotateBytes }),
    ...(files === null ? {} : { files }),
    onTrouble: (reason) =>
      note(
        reason === null
          ? `capture ${path}: frames are written again`
          : `capture ${path}: frames are lost and counted: ${TROUBLE[reason] ?? reason}`,
      ),
  })
}

const TROUBLE: Readonly<Record<string, string>> = {
  ENOSPC: 'ENOSPC (the disk is full); the file ends with its last whole block',
  EDQUOT: 'EDQUOT (the quota is used up); the file ends with its last whole block',
  'no-reader': 'the FIFO has no reader',
  'slow-reader': 'the reader of the FIFO is slower than the traffic',
}
