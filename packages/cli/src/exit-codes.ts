/** Exit codes of every program: part of their interface. */
export const EXIT_OK = 0
/** Internal error. */
export const EXIT_INTERNAL = 1
/** Unusable arguments or configuration: the same command fails again. One line on standard error names what was refused. */
export const EXIT_USAGE = 2
/** A device, file, peer or privilege that was asked for is missing. */
export const EXIT_MISSING = 4
/** In use, or the system is out of something: it may pass by itself (EX_TEMPFAIL of sysexits.h). */
export const EXIT_TEMPORARY = 75
