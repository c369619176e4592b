import { EINVAL } from '@vring/layout'
import { high } from '../isa/wide.ts'
import type { PerfEventArray } from '../maps/perf-events.ts'
import type { RingBuffer } from '../maps/ring-buffer.ts'
import type { Machine } from '../runtime/machine.ts'
import { REGION_MAP_OBJECTS, REGION_MAP_VALUES } from '../runtime/memory-region.ts'
import { type Helper, signedResult, wordResult } from './helper.ts'

const EAGAIN = -11
const EFAULT = -14
/** Flags of perf_event_output. Source: Linux include/uapi/linux/bpf.h. */
const BPF_F_CURRENT_CPU = 0xffff_ffff
/** Bits 32 to 51 of its flags: bytes of the packet to append. */
const PACKET_BYTES_MASK = 0xfffff
/** BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP. */
const WAKEUP_FLAGS = 3
/** Fields that ringbuf_query tells, in the order of their numbers. */
const QUERIES: readonly ((ring: RingBuffer) => number)[] = [
  (ring) => ring.producer - ring.consumer,
  (ring) => ring.bytes,
  (ring) => ring.consumer,
  (ring) => ring.producer,
]

function ringOf(machine: Machine, map: number): RingBuffer {
  return machine.maps[map - REGION_MAP_OBJECTS] as RingBuffer
}

/** The ring whose memory a record lies in. */
function ringOfRecord(machine: Machine, region: number): RingBuffer {
  return machine.maps[region - REGION_MAP_VALUES] as RingBuffer
}

/**
 * Helpers that hand records to a reader. Source: Linux kernel/bpf/ringbuf.c, kernel/trace/bpf_trace.c,
 * net/core/filter.c.
 */
export const EVENT_HELPERS: readonly Helper[] = [
  {
    number: 25,
    name: 'perf_event_output',
    arguments: ['context', 'map', 'number', 'memory', 'size-or-zero'],
    result: 'number',
    maps: ['perf-event-array'],
    create: (machine) => (_c, _r, _m, map, flags, packetBytes, data, region, bytes) => {
      const { u8, data: start, dataEnd } = machine.context
      const events = machine.maps[map - REGION_MAP_OBJECTS] as PerfEventArray
      if ((packetBytes & ~PACKET_BYTES_MASK) !== 0) return signedResult(EINVAL)
      if (packetBytes > dataEnd - start) return signedResult(EFAULT)
      const cpu = flags >>> 0 === BPF_F_CURRENT_CPU ? (machine.environment.cpu ?? 0) : flags >>> 0
      return signedResult(events.output(cpu, machine.regions[region]!.u8, data >>> 0, bytes, u8, start, packetBytes))
    },
  },
  {
    number: 130,
    name: 'ringbuf_output',
    arguments: ['map', 'memory', 'size-or-zero', 'number'],
    result: 'number',
    maps: ['ringbuf'],
    create: (machine) => (_a, map, data, region, bytes, _s, flags, flagsHigh) => {
      if ((flags & ~WAKEUP_FLAGS) !== 0 || flagsHigh !== 0) return signedResult(EINVAL)
      const ring = ringOf(machine, map)
      const at = ring.reserve(bytes)
      if (at < 0) return signedResult(EAGAIN)
      const from = machine.regions[region]!.u8
      for (let i = 0; i < bytes; i++) ring.values[at + i] = from[(data >>> 0) + i]!
      ring.submit(at)
      return signedResult(0)
    },
  },
  {
    number: 131,
    name: 'ringbuf_reserve',
    arguments: ['map', 'constant', 'number'],
    result: 'record',
    maps: ['ringbuf'],
    create: (machine) => (_a, map, bytes, _s, flags, flagsHigh) => {
      const at = (flags | flagsHigh) !== 0 ? -1 : ringOf(machine, map).reserve(bytes)
      high[0] = at < 0 ? 0 : REGION_MAP_VALUES + map - REGION_MAP_OBJECTS
      return Math.max(at, 0)
    },
  },
  {
    number: 132,
    name: 'ringbuf_submit',
    arguments: ['record', 'number'],
    result: 'number',
    create: (machine) => (record, region) => {
      ringOfRecord(machine, region).submit(record >>> 0)
      return signedResult(0)
    },
  },
  {
    number: 133,
    name: 'ringbuf_discard',
    arguments: ['record', 'number'],
    result: 'number',
    create: (machine) => (record, region) => {
      ringOfRecord(machine, region).discard(record >>> 0)
      return signedResult(0)
    },
  },
  {
    number: 134,
    name: 'ringbuf_query',
    arguments: ['map', 'number'],
    result: 'number',
    maps: ['ringbuf'],
    create: (machine) => (_a, map, what, whatHigh) => {
      const value = whatHigh === 0 ? (QUERIES[what >>> 0]?.(ringOf(machine, map)) ?? 0) : 0
      return wordResult(value)
    },
  },
]
