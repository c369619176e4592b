/**
 * Types of BPF maps by their number: those of the kernel, and of machines that stand in for it. Source: Linux 6.18 include/uapi/linux/bpf.h, enum bpf_map_type.
 */
export const BPF_MAP_TYPES = {
  hash: 1,
  array: 2,
  'prog-array': 3,
  'perf-event-array': 4,
  'percpu-hash': 5,
  'percpu-array': 6,
  'stack-trace': 7,
  'cgroup-array': 8,
  'lru-hash': 9,
  'lru-percpu-hash': 10,
  'lpm-trie': 11,
  'array-of-maps': 12,
  'hash-of-maps': 13,
  devmap: 14,
  sockmap: 15,
  cpumap: 16,
  xskmap: 17,
  sockhash: 18,
  'cgroup-storage': 19,
  'reuseport-sockarray': 20,
  'percpu-cgroup-storage': 21,
  queue: 22,
  stack: 23,
  'sk-storage': 24,
  'devmap-hash': 25,
  'struct-ops': 26,
  ringbuf: 27,
  'inode-storage': 28,
  'task-storage': 29,
  'bloom-filter': 30,
  'user-ringbuf': 31,
  'cgrp-storage': 32,
  arena: 33,
} as const

/** A type of BPF maps by its name. */
export type BpfMapType = keyof typeof BPF_MAP_TYPES
