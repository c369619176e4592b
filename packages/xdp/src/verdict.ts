/** Verdicts of an XDP program. Source: Linux include/uapi/linux/bpf.h, enum xdp_action. */
export const XDP_ABORTED = 0
export const XDP_DROP = 1
export const XDP_PASS = 2
export const XDP_TX = 3
export const XDP_REDIRECT = 4

/** Names by verdict, as metrics and traces spell them. */
export const XDP_VERDICT_NAMES: readonly string[] = ['aborted', 'drop', 'pass', 'tx', 'redirect']

/**
 * What a hook does with a return value of a program: a verdict as it is, anything else as XDP_ABORTED.
 * Source: Linux bpf_prog_run_xdp callers, bpf_warn_invalid_xdp_action.
 */
export const normalizeVerdict = (value: number): number =>
  value >= XDP_ABORTED && value <= XDP_REDIRECT ? value : XDP_ABORTED
