import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { ftruncateSync } from 'node:fs'
import { closeFd, createMemfd } from '@vring/linux'
import type { Variant } from './hostile-rig.ts'
import {
  buffersOf,
  FEATURES,
  GUEST,
  INDIRECT,
  LOG_ALL,
  NEXT,
  type RawFrontend,
  REQUEST,
  USER,
  WRITE,
  words,
} from './raw-frontend.ts'
import { semaphoreKick } from './semaphore-kick.ts'

/** Where an indirect table is. */
export const TABLE = 0x30_0000
/** Where memory is that is taken away. */
export const GONE = 0xf0_0000
/** Where large rings are. */
const RINGS = 0x80_0000
const RING_BYTES = 0x10_0000
/** Descriptors of the longest chain. */
const LONGEST = 1024
const GIB = 2 ** 30

/** What one driver does, each time. */
type Run = (driver: RawFrontend, variant: Variant) => Promise<void> | void

export interface HostileAttack {
  readonly name: string
  /** Each by a driver of its own. */
  readonly runs: readonly Run[]
  /** Its session ends: for this reason, as metrics have it. */
  readonly ends?: 'hang-up' | 'system' | 'memory'
  /** It uses no rings, so that their format does not matter. Default false. */
  readonly ringless?: boolean
}

/**
 * One indirect table of descriptors of length zero, in every entry of the ring; room for a frame, or a frame, at the
 * end of each.
 */
function bomb(driver: RawFrontend, queue: number): void {
  const ring = driver.rings[queue]!
  const flags = queue % 2 === 0 ? WRITE : 0
  const table = TABLE + 16 * LONGEST * queue
  for (let i = 0; i < LONGEST - 1; i++) ring.descriptor(i, GUEST + buffersOf(1), 0, flags | NEXT, i + 1, table)
  ring.descriptor(LONGEST - 1, GUEST + buffersOf(1), queue % 2 === 0 ? 12 : 112, flags, 0, table)
  ring.descriptor(0, GUEST + table, 16 * LONGEST, INDIRECT)
  ring.offer(...new Array<number>(ring.size).fill(0))
}

/** A ring of 32768 entries full of chains of length zero, which are as long as they may be, or as long as the ring. */
export async function bigRing(driver: RawFrontend, queue: number, length = LONGEST): Promise<void> {
  await driver.ask(REQUEST.GET_VRING_BASE, words(queue, 0))
  const size = 32_768
  const at = RINGS + RING_BYTES * queue
  driver.u8.fill(0, at, at + RING_BYTES)
  const ring = driver.startRing(queue, size, at)
  const flags = queue % 2 === 0 ? WRITE : 0
  for (let i = 0; i < size; i++) {
    const last = (i + 1) % length === 0 || i === size - 1
    ring.descriptor(i, GUEST + buffersOf(1), last && queue % 2 === 1 ? 112 : 0, last ? flags : flags | NEXT, i + 1)
  }
  // A packed ring has each chain once; a split one as often as its avail ring has room.
  const chains = size / LONGEST
  const packed = ring.base !== 0
  ring.offer(...Array.from({ length: packed ? chains : size - 1 }, (_, i) => (length * i) % size))
}

/** Frames for pair 0 where they come from the network; a loopback has them from the driver. */
async function frames({ backend }: Variant): Promise<void> {
  if (backend === undefined) return
  // The kernel chooses the queue by ports.
  for (let i = 0; i < 16; i++) {
    const socket = createSocket('udp4')
    for (let k = 0; k < 20; k++) socket.send(new Uint8Array(100), 9, TAP_PEER)
    socket.send(new Uint8Array(100), 9, TAP_PEER, () => socket.close())
    await once(socket, 'close')
  }
}

/** A neighbour that does not exist, after a TAP. */
export const TAP_PEER = '198.51.100.2'

const BAD_RINGS = [
  [12, 0],
  [0, 0],
  [65_535, 0],
  [64, 1],
  [64, 8],
  [64, GIB],
] as const

/** The attacks that held a daemon of this project once, and with which it lives now. */
export const HOSTILE_ATTACKS: readonly HostileAttack[] = [
  {
    name: 'asks without end, reads nothing',
    ringless: true,
    ends: 'system',
    runs: [
      ({ socket }) => {
        const ask = words(REQUEST.GET_FEATURES, 1, 0)
        try {
          for (;;) socket.send(ask, [], 1000)
        } catch {
          // EPIPE or ECONNRESET: it is ended.
        }
      },
    ],
  },
  {
    name: 'half a message',
    ringless: true,
    runs: [({ socket }) => socket.send(words(REQUEST.GET_FEATURES, 1).subarray(0, 5), [])],
  },
  {
    name: 'tables of 63 GiB, hang-up',
    ringless: true,
    ends: 'hang-up',
    runs: [
      ({ socket }) => {
        const big = createMemfd('big', 64 * GIB)
        const table = words(1, 0, BigInt(GUEST), BigInt(63 * GIB), BigInt(USER), 0n)
        let sent = 0
        try {
          for (; sent < 500; sent++) socket.send(new Uint8Array([...words(5, 1, 40), ...table]), [big], 0)
        } catch {
          // Its queue is full.
        }
        closeFd(big)
        socket.close()
      },
    ],
  },
  {
    name: 'a kick that stays readable',
    runs: [
      (driver) => {
        for (const queue of [0, 1]) {
          const fd = semaphoreKick()
          driver.send(REQUEST.SET_VRING_KICK, words(BigInt(queue)), [fd])
          closeFd(fd)
        }
      },
    ],
  },
  {
    name: 'empty chains, rings of 32768',
    runs: [
      async (driver, variant) => {
        for (const queue of [0, 1]) await bigRing(driver, queue)
        await frames(variant)
      },
    ],
  },
  {
    name: 'empty chains, indirect, rings of 256',
    runs: [
      async (driver, variant) => {
        for (const queue of [0, 1]) bomb(driver, queue)
        await frames(variant)
      },
    ],
  },
  {
    name: 'memory is shortened',
    ends: 'memory',
    runs: [
      ({ fd, rings }) => {
        ftruncateSync(fd, 4096)
        rings[1]!.kick.signal()
      },
      ({ fd, rings }) => {
        rings[1]!.descriptor(0, GUEST + GONE, 112)
        ftruncateSync(fd, RINGS)
        rings[1]!.offer(0)
      },
      ({ fd, rings }) => {
        rings[1]!.descriptor(0, GUEST + GONE, 32, INDIRECT)
        ftruncateSync(fd, RINGS)
        rings[1]!.offer(0)
      },
      async ({ fd, rings }, variant) => {
        rings[0]!.descriptor(0, GUEST + GONE, 2048, WRITE)
        ftruncateSync(fd, RINGS)
        rings[0]!.offer(0)
        rings[1]!.descriptor(0, GUEST + buffersOf(1), 112)
        rings[1]!.offer(0)
        await frames(variant)
      },
      async (driver, variant) => {
        const { features = FEATURES } = variant
        const log = createMemfd('log', 1 << 20, { sealed: false })
        await driver.ask(REQUEST.SET_LOG_BASE, words(BigInt(1 << 20), 0n), [log])
        driver.send(REQUEST.SET_FEATURES, words(features | LOG_ALL))
        await driver.ask(REQUEST.GET_FEATURES)
        ftruncateSync(log, 0)
        closeFd(log)
        // A frame is received, and so logged.
        const [rx, tx] = [driver.rings[0]!, driver.rings[1]!]
        rx.descriptor(0, GUEST + buffersOf(0), 2048, WRITE)
        rx.offer(0)
        tx.descriptor(0, GUEST + buffersOf(1), 112)
        tx.offer(0)
        await frames(variant)
      },
    ],
  },
  {
    name: 'bad sizes and addresses of a ring',
    runs: [
      async (driver) => {
        for (const [size, move] of BAD_RINGS) {
          await driver.ask(REQUEST.GET_VRING_BASE, words(1, 0))
          const { desc, avail, used, kick } = driver.rings[1]!
          driver.send(REQUEST.SET_VRING_NUM, words(1, size))
          driver.sendAddress(1, { desc: desc + move, avail: avail + move, used: used + move } as never)
          driver.send(REQUEST.SET_VRING_KICK, words(1n), [kick.fd])
          kick.signal()
          await driver.ask(REQUEST.GET_FEATURES)
        }
      },
    ],
  },
]
