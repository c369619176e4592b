import type { Finding } from './exploration.ts'

/**
 * A finding as a timeline: a column a thread, a line a step, the finding below.
 *
 * @param width characters of a column; longer steps are cut
 */
export function formatTimeline(finding: Finding, width = 34): string {
  const { threads, schedule } = finding
  const cell = (text: string): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width))
  const number = String(schedule.length).length
  const line = (label: string, cells: readonly string[]): string =>
    `${label.padStart(number)}  ${cells.map(cell).join('  ')}`.trimEnd()
  const rule = line(
    '',
    threads.map(() => '─'.repeat(width)),
  )
  const steps = schedule.map(({ thread, label, result }, at) => {
    const text = result === '' ? label : label.endsWith(':=') ? `${label} ${result}` : `${label} → ${result}`
    return line(
      String(at + 1),
      threads.map((_, column) => (column === thread ? text : '')),
    )
  })
  const found = finding.seed === null ? '' : ` (random, seed ${finding.seed})`
  return [
    line('', threads),
    rule,
    ...steps,
    rule,
    `${finding.kind}: ${finding.message}${found}; memory model ${finding.memoryModel}`,
  ].join('\n')
}
