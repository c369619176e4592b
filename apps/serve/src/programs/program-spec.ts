import { readFileSync, statSync } from 'node:fs'
import { didYouMean } from '@vring/cli/errors'
import { packageFile } from '../package-file.ts'
import { ServeError, startError, usageError } from '../serve-error.ts'

/** An XDP program that runs in the worker. */
export type ProgramSpec = { readonly kind: 'xdp1' } | ObjectSpec

/** A program of an object file. */
export interface ObjectSpec {
  readonly kind: 'object'
  /** As `--xdp` names it. */
  readonly xdp: string
  /** Function or section; null: its only XDP program. */
  readonly program: string | null
  readonly bytes: Uint8Array
}

/** The object of `xdp1`: counts frames by IP protocol in `rxcnt`, and drops them. */
const XDP1 = packageFile('programs/xdp1.o')

/** `FILE.o:PROGRAM`: a function, or a section such as `xdp/pass`. */
const NAMED = /^(.+\.o):([^:]+)$/

/**
 * What `--xdp` names: `xdp1`, `FILE`, or `FILE.o:PROGRAM` for one program of several.
 *
 * @throws ServeError naming --xdp
 */
export function readObjectSpec(xdp: string): ObjectSpec {
  const [, file, program = null] = NAMED.exec(xdp) ?? [null, xdp]
  const path = xdp === 'xdp1' ? XDP1 : file!
  try {
    // A FIFO without a writer would be waited for, before any signal is heard.
    if (!statSync(path).isFile()) throw usageError(`--xdp ${xdp}`, 'is no regular file; accepted: an eBPF object')
    return { kind: 'object', xdp, program, bytes: new Uint8Array(readFileSync(path)) }
  } catch (error) {
    const refused = startError(`--xdp ${xdp}`, error)
    // A file's name is anything: only what looks like no path can be a mistyped name.
    const near = xdp.includes('/') ? '' : didYouMean(xdp, ['xdp1'])
    throw new ServeError(refused.exitCode, `${refused.message}${near}`, error)
  }
}
