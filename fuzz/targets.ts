/** Modules in `targets/`, as the command names them. */
export const TARGETS = [
  'message-decoder',
  'session',
  'split-ring',
  'packed-ring',
  'iotlb',
  'ebpf-object',
  'ebpf-program',
  'capture',
  'http',
  'configuration',
] as const
