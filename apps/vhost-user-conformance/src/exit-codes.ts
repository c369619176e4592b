/** Exit codes: part of the interface, the same as those of vring-bench and vring-serve. Every case passed or was skipped, or none of level MUST failed. */
export const EXIT_OK = 0
/** Internal error. */
export const EXIT_INTERNAL = 1
/** Unusable arguments: one line on standard error names what was refused and what is accepted. */
export const EXIT_USAGE = 2
/** A case of level MUST failed. */
export const EXIT_FAILED = 3
/** There is no back-end to judge: it does not start, or does not answer. */
export const EXIT_MISSING = 4
