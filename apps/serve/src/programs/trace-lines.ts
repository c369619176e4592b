/** Lines in one second; programs print for every frame. */
const LINES_PER_SECOND = 100

/**
 * Passes lines of `bpf_printk` on, at most a hundred in a second; how many were left out is said with the first line of a
 * later one.
 */
export function limitLines(
  write: (line: string) => void,
  nowMs: () => number = () => performance.now(),
): (line: string) => void {
  let second = Number.NEGATIVE_INFINITY
  let lines = 0
  let leftOut = 0
  return (line) => {
    const now = nowMs()
    if (now - second >= 1000) {
      if (leftOut > 0) write(`bpf_printk: ${leftOut} line${leftOut === 1 ? '' : 's'} left out`)
      second = now
      lines = 0
      leftOut = 0
    }
    if (lines++ < LINES_PER_SECOND) write(`bpf_printk: ${line.replace(/\n$/, '')}`)
    else leftOut++
  }
}
