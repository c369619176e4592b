/** Exit codes: part of the interface, the same as those of vring-bench. */
export const EXIT_OK = 0
/** Internal error. */
export const EXIT_INTERNAL = 1
/** Unusable arguments or configuration: one line on standard error names what was refused and what is accepted. */
export const EXIT_USAGE = 2
/** A device, peer or privilege that was asked for is missing. */
export const EXIT_MISSING = 4
