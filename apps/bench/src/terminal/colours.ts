import picocolors from 'picocolors'

/**
 * Is what goes to this stream coloured? On a terminal that can show it, unless NO_COLOR is set (https://no-color.org); and
 * where FORCE_COLOR asks for it. Left to itself picocolors also colours what a CI job writes to a file.
 */
export function showsColours({ isTTY }: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return isTTY === true && env.TERM !== 'dumb'
}

/** Are results on standard output coloured? */
const COLOURED = showsColours(process.stdout, process.env)

/** The colours of results: each function gives its text as it is where there are none. */
export const colours = picocolors.createColors(COLOURED)
