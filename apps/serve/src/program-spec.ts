import { readFileSync } from 'node:fs'
import type { ObjectSpec } from './protocol.ts'
import { startError } from './serve-error.ts'

/** The object of `xdp1`: counts frames by IP protocol in `rxcnt`, and drops them. */
const XDP1 = new URL('../programs/xdp1.o', import.meta.url)

/** `FILE.o:PROGRAM`: a function, or a section such as `xdp/pass`. */
const NAMED = /^(.+\.o):([^:]+)$/

/**
 * What `--xdp` names: `xdp1`, `FILE`, or `FILE.o:PROGRAM` for one program of several.
 *
 * @throws ServeError naming --xdp
 */
export function readObjectSpec(xdp: string): ObjectSpec {
  const [, file, program = null] = NAMED.exec(xdp) ?? [null, xdp]
  try {
    return { kind: 'object', xdp, program, bytes: new Uint8Array(readFileSync(xdp === 'xdp1' ? XDP1 : file!)) }
  } catch (error) {
    throw startError(`--xdp ${xdp}`, error)
  }
}
