/** Exit codes of every command: part of the interface. */
export const EXIT_OK = 0
/** Internal error; of a run also: a peer failed, or every cell did. */
export const EXIT_INTERNAL = 1
/** Unusable arguments: one line on standard error names the argument and what is accepted. */
export const EXIT_USAGE = 2
/** Done, but a result hash disagreed between accessors or a claim check failed; see `run/claim-check.ts`. */
export const EXIT_DISAGREE = 3
/** A requested peer or privilege is missing. */
export const EXIT_MISSING = 4
/** A run that Ctrl-C ended: 128 and the signal's number. */
export const EXIT_INTERRUPTED = 130
