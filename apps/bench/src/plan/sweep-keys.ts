/** Keys of `--sweep` with their limits. */
export const SWEEP_KEYS = {
  'frame-bytes': { field: 'frameBytes', least: 60, most: 9000 },
  'queue-size': { field: 'queueSize', least: 2, most: 32768 },
  batch: { field: 'batch', least: 1, most: 256 },
  'chain-length': { field: 'chainLength', least: 1, most: 64 },
  indirect: { field: 'indirect', least: 0, most: 1 },
  regions: { field: 'regions', least: 1, most: 509 },
  'iotlb-entries': { field: 'iotlbEntries', least: 4, most: 2048 },
  invalidations: { field: 'invalidations', least: 0, most: 100_000 },
  'file-backed': { field: 'fileBacked', least: 0, most: 3 },
  'in-order': { field: 'inOrder', least: 0, most: 1 },
  barrier: { field: 'barrier', least: 0, most: 1 },
  hooks: { field: 'hooks', least: 0, most: 1 },
} as const
export type SweepKey = keyof typeof SWEEP_KEYS
