import { type EbpfProgram, type LoadProgramOptions, loadProgram, type RawEbpf } from '@vring/ebpf'
import type { FibTable } from './fib-table.ts'
import type { XdpContext } from './xdp-context.ts'
import { XDP_TYPE } from './xdp-type.ts'

/** An eBPF program for XDP: an `XdpProgram` with maps. */
export interface XdpEbpfProgram extends EbpfProgram<XdpContext> {
  /** It is in a section `xdp.frags`: frames of several pieces may be given to it. Source: Linux BPF_F_XDP_HAS_FRAGS. */
  readonly acceptsFragments: boolean
}

export interface LoadEbpfOptions extends LoadProgramOptions {
  /** Routes that `bpf_fib_lookup` knows; default none. */
  readonly fib?: FibTable
}

/**
 * Loads an eBPF program for XDP: reads the object, creates its maps, verifies the program and compiles it.
 *
 * @param source an ELF object of `clang -target bpf`, or raw instructions
 * @throws VringError if the object is malformed, EbpfError naming the instruction and the reason if the program is refused
 */
export async function loadEbpf(source: Uint8Array | RawEbpf, options: LoadEbpfOptions = {}): Promise<XdpEbpfProgram> {
  const program = await loadProgram(XDP_TYPE, source, options)
  return { ...program, acceptsFragments: /^xdp\.frags(\/|$)/.test(program.section) }
}
