import { refused } from '@vring/layout'

/** Types of maps by the number that the kernel has for them. Source: Linux 6.18 include/uapi/linux/bpf.h, enum bpf_map_type. */
export const MAP_TYPE_NUMBERS = {
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

/** A type of maps by its name; {@link createMap} says which ones there are here. */
export type EbpfMapType = keyof typeof MAP_TYPE_NUMBERS

const NAMES = new Map<number, EbpfMapType>(
  Object.entries(MAP_TYPE_NUMBERS).map(([name, number]) => [number, name as EbpfMapType]),
)

/** The type of map `name` by its number. @throws VringError: the kernel has none of that number */
export function mapTypeOf(name: string, number: number): EbpfMapType {
  const type = NAMES.get(number)
  if (type === undefined)
    throw refused('ERR_UNSUPPORTED', `map ${name}: type`, number, `1 to ${NAMES.size}, a number of enum bpf_map_type`)
  return type
}
