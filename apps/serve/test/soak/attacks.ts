import { ftruncateSync } from 'node:fs'
import { closeFd, createMemfd } from '@vring/linux'
import {
  buffersOf,
  FEATURES,
  GUEST,
  INDIRECT,
  LOG_ALL,
  NEED_REPLY,
  NEXT,
  type RawFrontend,
  REQUEST,
  USER,
  WRITE,
  words,
} from '../raw-frontend.ts'

const REM_MEM_REG = 38

/** What a driver does on pair 0, or to its whole session, beside a pair 1 that behaves. */
export interface Attack {
  readonly name: string
  /** The session does not survive it. */
  readonly ends: boolean
  run(driver: RawFrontend, random: (limit: number) => number): Promise<void>
}

/** A table of 1024 empty descriptors. */
function emptyTable({ rings }: RawFrontend, at: number, flags: number): void {
  for (let i = 0; i < 1024; i++)
    rings[0]!.descriptor(i, GUEST + buffersOf(1), 0, flags | (i < 1023 ? NEXT : 0), i + 1, at)
}

export const ATTACKS: readonly Attack[] = [
  { name: 'nothing', ends: false, run: async () => {} },
  {
    name: 'chains of empty descriptors',
    ends: false,
    async run(driver, random) {
      const queue = random(2)
      emptyTable(driver, 0x30_0000, queue === 0 ? WRITE : 0)
      const ring = driver.rings[queue]!
      ring.descriptor(0, GUEST + 0x30_0000, 16 * 1024, INDIRECT)
      ring.offer(...new Array<number>(256).fill(0))
    },
  },
  {
    name: 'an index that jumps',
    ends: false,
    async run({ rings, view }, random) {
      const ring = rings[random(2)]!
      view.setUint16(ring.avail + 2, 257 + random(60_000), true)
      ring.kick.signal()
    },
  },
  {
    name: 'heads and chains of random bytes',
    ends: false,
    async run({ rings, u8 }, random) {
      const ring = rings[random(2)]!
      for (let i = 0; i < 16 * ring.size; i++) u8[ring.desc + i] = random(256)
      ring.offer(...Array.from({ length: 64 }, () => random(65_536)))
    },
  },
  {
    name: 'a storm of kicks',
    ends: false,
    async run({ rings }) {
      for (let i = 0; i < 20_000; i++) rings[i & 1]!.kick.signal()
    },
  },
  {
    name: 'memory tables: regions come and go',
    ends: false,
    async run(driver, random) {
      for (let i = 0; i < 20; i++) {
        const bytes = 4096 * (1 + random(256))
        const region = words(0, 0, 2n ** 33n, BigInt(bytes), 2n ** 46n, 0n)
        const fd = createMemfd('soak', bytes)
        try {
          const added = await driver.ask(REQUEST.ADD_MEM_REG, region, [fd], NEED_REPLY)
          const removed = await driver.ask(REM_MEM_REG, region, [], NEED_REPLY)
          if (added !== 0n || removed !== 0n) throw new Error(`a region was refused: ${added}, ${removed}`)
        } finally {
          closeFd(fd)
        }
      }
    },
  },
  {
    name: 'memory tables: the same one again',
    ends: false,
    async run(driver) {
      const table = words(1, 0, BigInt(GUEST), BigInt(driver.bytes), BigInt(USER), 0n)
      for (let i = 0; i < 5; i++) driver.send(REQUEST.SET_MEM_TABLE, table, [driver.fd])
      await driver.ask(REQUEST.GET_FEATURES)
    },
  },
  {
    name: 'rings stopped and started',
    ends: false,
    async run(driver) {
      for (const queue of [0, 1]) await driver.ask(REQUEST.GET_VRING_BASE, words(queue, 0))
      driver.u8.fill(0, 0x1_0000, 0x3_0000)
      for (const queue of [0, 1]) driver.startRing(queue, 256)
      await driver.echo(0, 5)
    },
  },
  {
    name: 'a log of writes',
    ends: false,
    async run(driver) {
      const log = createMemfd('log', 1 << 20)
      try {
        await driver.ask(REQUEST.SET_LOG_BASE, words(BigInt(1 << 20), 0n), [log])
        driver.send(REQUEST.SET_FEATURES, words(FEATURES | LOG_ALL))
        await driver.ask(REQUEST.GET_FEATURES)
      } finally {
        closeFd(log)
      }
    },
  },
  {
    name: 'memory that is shortened',
    ends: true,
    async run({ fd, rings }) {
      ftruncateSync(fd, 4096)
      for (const ring of rings) ring.kick.signal()
    },
  },
  {
    name: 'a message of another protocol',
    ends: true,
    async run({ socket }, random) {
      socket.send(Uint8Array.from({ length: 12 }, () => 128 + random(128)))
    },
  },
]
