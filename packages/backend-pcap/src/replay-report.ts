/** What the first pass over a capture found: facts of the file, for any of its frames that a source replays. */
export interface ReplayReport {
  /** Frames that are replayed. */
  readonly frames: number
  /** Of them: shorter than they were on their link. */
  readonly cut: number
  /** Packets that are left out: not Ethernet, shorter than its header, or longer than any frame. */
  readonly skipped: number
  /** Gaps that were longer than accepted. */
  readonly shortened: number
  /** Where the file stops in the middle of a record, in bytes, or null. */
  readonly truncatedAt: number | null
  /** What is malformed after the last frame, or can't be read, or null. */
  readonly malformed: string | null
}

/**
 * A report as one line for people: `6 frames; 2 of them were cut when they were captured`.
 *
 * @param maxGapMs what gaps were shortened to
 */
export function formatReplayReport(report: ReplayReport, maxGapMs: number): string {
  const { frames, cut, skipped, shortened, truncatedAt, malformed } = report
  return [
    counted(frames, 'frame'),
    ...(cut > 0 ? [`${cut} of them were cut when they were captured`] : []),
    ...(skipped > 0 ? [`${counted(skipped, 'packet')} left out: no Ethernet`] : []),
    ...(shortened > 0 ? [`${counted(shortened, 'gap')} shortened to ${maxGapMs / 1000} s`] : []),
    ...(truncatedAt === null ? [] : [`the file stops in the middle of a record at ${truncatedAt}`]),
    ...(malformed === null ? [] : [`it ends early: ${malformed}`]),
  ].join('; ')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
