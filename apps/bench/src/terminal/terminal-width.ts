/**
 * Columns of the terminal that results are printed on. It is without end where they go to a file or a program, which
 * are to get them as they are.
 *
 * @param stream standard output
 */
export function terminalWidth(
  { isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number },
  env: NodeJS.ProcessEnv,
): number {
  if (isTTY !== true) return Number.POSITIVE_INFINITY
  // A terminal that does not know, as one over a serial line, says 0.
  const width = columns || Number(env.COLUMNS)
  return width > 0 ? Math.max(LEAST, width) : Number.POSITIVE_INFINITY
}

/** Narrower than this nothing is readable, and lines may wrap. */
const LEAST = 24

/** {@link terminalWidth} of standard output. */
export const TERMINAL_WIDTH = terminalWidth(process.stdout, process.env)
