import type { XdpContext } from './xdp-context.ts'

/**
 * A program on an XDP hook: one call per frame, a verdict back. Written in TypeScript, or eBPF that was verified and
 * compiled. Hot: no allocation, no exception; every read below `context.dataEnd`, read once and then checked.
 */
export interface XdpProgram {
  readonly name: string
  /**
   * True for a program that never writes to a frame and never moves its ends: it may run on the driver's own memory.
   * Default false: a hook gives it a copy.
   */
  readonly readOnly?: boolean
  /** @returns one of the XDP_ verdicts; anything else counts as XDP_ABORTED */
  run(context: XdpContext): number
}
