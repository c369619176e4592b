/** Exit codes of every command: part of the interface. EXIT_INTERNAL of a run is also: a peer failed, or every cell did. */
export { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_USAGE } from '@vring/cli/errors'
/** Done, but a result hash disagreed between accessors or a claim check failed; see `run/claim-check.ts`. */
export const EXIT_DISAGREE = 3
/** A run that Ctrl-C ended: 128 and the signal's number. */
export const EXIT_INTERRUPTED = 130
