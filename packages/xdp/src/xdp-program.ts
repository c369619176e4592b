import type { XdpContext } from './xdp-context.ts'

/**
 * A program on an XDP hook: one call per frame, a verdict back. Written in TypeScript, or eBPF that was verified and
 * compiled. Hot: no allocation, no exception; every read below `context.dataEnd`, read once and then checked.
 */
export interface XdpProgram {
  readonly name: string
  /** @returns one of the XDP_ verdicts; anything else counts as XDP_ABORTED */
  run(context: XdpContext): number
}
