/** Bytes of a page. */
export const PAGE_BYTES = 4096

/** Bytes of a huge page: what one entry of the second-lowest table maps. */
export const HUGE_BYTES = 2 * 1024 * 1024

/** Pages of a huge page. */
export const HUGE_PAGES = 512

/**
 * First address that is not a user address: 2^47 less a guard page. Source: Linux x86-64 `TASK_SIZE_MAX` with four-level
 * page tables.
 */
export const TASK_SIZE_MAX = 2 ** 47 - PAGE_BYTES
