/** Exit codes: part of the interface, those of vring's other programs. */
export { EXIT_INTERNAL, EXIT_MISSING, EXIT_OK, EXIT_TEMPORARY, EXIT_USAGE } from '@vring/cli/errors'
