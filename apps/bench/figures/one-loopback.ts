import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { plainCpu } from '@vring/accessor'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { featureSet, packedRingAreas, splitRingAreas, VIRTIO_F_RING_PACKED, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { GuestMap, MappedSpace, memoryView } from '@vring/memory'
import { LoopbackBackend, RxRound, TxRound } from '@vring/vhost-net'
import { createDeviceQueue, createDriverQueue, type DeviceQueue, type DriverQueue } from '@vring/virtqueue'
import { V8_FLAGS } from '../src/cell/v8-flags.ts'

/**
 * What a loopback takes a frame of 64 bytes, in ns, where no cache line moves: taken from one ring, copied once, put into
 * the other. One thread; the driver adds and takes back outside of what is timed. Each row is a process of its own.
 * `npx tsx --conditions=@vring/source apps/bench/figures/one-loopback.ts`
 */
const ROUNDS = 40_000
/** Rounds until V8 has compiled what runs. */
const WARM_UP = 10_000
const SIZE = 256
const FRAME_BYTES = 12 + 64
/** Buffers go round, as those of a driver's pool do; frames are aligned as DPDK aligns them. */
const BUFFERS = 1024
const bufferAt = (index: number): number => 0x10_0000 + 2176 * (index % BUFFERS) + 116

type Format = 'split' | 'packed'

/** Sorted ns a frame, a round each. */
function measure(format: Format): number[] {
  const bytes = 1 << 24
  const view = memoryView(new SharedArrayBuffer(bytes))
  const space = new MappedSpace([{ address: 0, length: bytes, view, viewOffset: 0 }])
  const buffers = new GuestMap(space, [{ guestAddress: 0, length: bytes, userAddress: 0 }])
  const areas = format === 'split' ? splitRingAreas : packedRingAreas
  const features = featureSet(VIRTIO_F_VERSION_1, ...(format === 'packed' ? [VIRTIO_F_RING_PACKED] : []))
  const pair = (at: number): { driver: DriverQueue; device: DeviceQueue } => {
    const ring = areas(SIZE, false, at, at + 0x2000, at + 0x4000)
    const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, {})
    return {
      driver: createDriverQueue({ ring, memory: space, features }),
      device: createDeviceQueue({ accessor, cpu: plainCpu, ring, features, buffers }),
    }
  }
  const [tx, rx] = [pair(0), pair(0x1_0000)]
  const backend = new LoopbackBackend()
  const common = { buffers, cpu: plainCpu, features, notification: 'poll' } as const
  const received = new RxRound({ ...common, queue: rx.device, source: backend })
  backend.connect(() => {
    received.runWithin()
  })
  const sent = new TxRound({ ...common, queue: tx.device, backend })
  let next = 0
  const offer = ({ driver }: { driver: DriverQueue }, length: number, writable: boolean): void => {
    for (let i = 0; i < SIZE; i++) driver.addOne(bufferAt(next++), length, writable)
    driver.publish()
  }
  offer(rx, 1600, true)
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    offer(tx, FRAME_BYTES, false)
    const start = process.hrtime.bigint()
    const moved = sent.run()
    const ns = Number(process.hrtime.bigint() - start)
    if (moved !== SIZE || rx.driver.reclaim() !== SIZE || tx.driver.reclaim() !== SIZE)
      throw new Error(`${moved} of ${SIZE} frames; the round ended: ${sent.end}`)
    offer(rx, 1600, true)
    if (round >= WARM_UP) times.push(ns / SIZE)
  }
  return times.sort((a, b) => a - b)
}

const [format] = process.argv.slice(2) as [Format?]
if (format === undefined) {
  console.log(`ns a frame, the fastest twentieth and the median of ${ROUNDS - WARM_UP} rounds, Node ${process.version}`)
  for (const row of ['split', 'packed']) {
    const flags = [...process.execArgv, ...V8_FLAGS]
    execFileSync(process.execPath, [...flags, fileURLToPath(import.meta.url), row], { stdio: 'inherit' })
  }
} else {
  const times = measure(format)
  const part = (of: number): string => times[Math.floor(of * times.length)]!.toFixed(1).padStart(8)
  console.log(format.padEnd(8) + part(0.05) + part(0.5))
}
