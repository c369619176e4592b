/**
 * Numbers of what the threads that have one socket count and see together. They are frames for the driver that were
 * dropped, by reason, and whether the interface is gone.
 */
export const SEEN = { noDriver: 0, oversize: 1, gone: 2 } as const
