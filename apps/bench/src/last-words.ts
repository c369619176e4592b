/** The line of a dead process's output that says most: its last error, else its last line. */
export function lastWords(output: string): string {
  const lines = output.trim().split('\n')
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '').trim()
}
