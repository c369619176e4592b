/**
 * Exit codes: part of the interface, those of vring's other programs. EXIT_OK: every case passed or was skipped, or
 * none of level MUST failed. EXIT_MISSING: there is no back-end to judge, it does not start or does not answer.
 */
export { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_USAGE } from '@vring/cli'
/** A case of level MUST failed. */
export const EXIT_FAILED = 3
