import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { plainCpu } from '@vring/accessor'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { featureSet, packedRingAreas, splitRingAreas, VIRTIO_F_RING_PACKED, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { MappedSpace, memoryView } from '@vring/memory'
import { ChainBatch, createDeviceQueue, createDriverQueue } from '@vring/virtqueue'
import { V8_FLAGS } from '../src/cell/v8-flags.ts'

/**
 * What a device's side of a ring takes a chain, in ns: taking 64 chains of one buffer, and publishing them as used. One
 * thread; the driver adds and takes back outside of what is timed. Each row is a process of its own, so that V8 meets
 * one kind of ring. `npx tsx --conditions=@vring/source apps/bench/figures/one-queue.ts`
 */
const ROUNDS = 20_000
/** Rounds until V8 has compiled what runs. */
const WARM_UP = 5000
const CHAINS = 64
const SIZE = 256
const BUFFER_BYTES = 12 + 64

type Format = 'split' | 'packed'
type Kind = 'readable' | 'writable'

/** Sorted ns a chain of taking and of publishing, a round each. */
function measure(format: Format, kind: Kind): { take: number[]; publish: number[] } {
  const bytes = 1 << 22
  const view = memoryView(new SharedArrayBuffer(bytes))
  const space = new MappedSpace([{ address: 0, length: bytes, view, viewOffset: 0 }])
  const areas = format === 'split' ? splitRingAreas : packedRingAreas
  const ring = areas(SIZE, false, 0, 0x1000, 0x2000)
  const features = featureSet(VIRTIO_F_VERSION_1, ...(format === 'packed' ? [VIRTIO_F_RING_PACKED] : []))
  const driver = createDriverQueue({ ring, memory: space, features })
  const accessor = vmapDirect.create({ cpu: plainCpu, space, ring, iotlb: null }, {})
  const device = createDeviceQueue({ accessor, cpu: plainCpu, ring, features, buffers: space })
  const batch = new ChainBatch(CHAINS, kind)
  const take: number[] = []
  const publish: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < SIZE; i++) driver.addOne(0x10000 + 2048 * i, BUFFER_BYTES, kind === 'writable')
    driver.publish()
    accessor.beginRound()
    let taking = 0n
    let publishing = 0n
    for (let done = 0; done < SIZE; done += CHAINS) {
      const start = process.hrtime.bigint()
      if (device.popBatch(batch, CHAINS) !== CHAINS) throw new Error(`broken: ${device.broken}`)
      const taken = process.hrtime.bigint()
      if (kind === 'readable') device.useBatch(batch, CHAINS)
      else {
        for (let chain = 0; chain < CHAINS; chain++) device.push(batch, chain, BUFFER_BYTES)
        device.flush()
      }
      publishing += process.hrtime.bigint() - taken
      taking += taken - start
    }
    accessor.endRound()
    if (driver.reclaim() !== SIZE) throw new Error('chains that were not given back')
    if (round < WARM_UP) continue
    take.push(Number(taking) / SIZE)
    publish.push(Number(publishing) / SIZE)
  }
  accessor.close()
  return { take: take.sort(byValue), publish: publish.sort(byValue) }
}

const byValue = (a: number, b: number): number => a - b
/** The twentieth part is quicker, so that neighbours of the machine count less; and the median. */
const row = (values: readonly number[]): string =>
  [0.05, 0.5].map((part) => values[Math.floor(part * values.length)]!.toFixed(1).padStart(8)).join('')

const [format, kind] = process.argv.slice(2) as [Format?, Kind?]
if (format === undefined || kind === undefined) {
  console.log(`ns a chain, the fastest twentieth and the median of ${ROUNDS - WARM_UP} rounds, Node ${process.version}`)
  console.log('                       taken             published')
  for (const row of ['split readable', 'split writable', 'packed readable', 'packed writable']) {
    const flags = [...process.execArgv, ...V8_FLAGS]
    execFileSync(process.execPath, [...flags, fileURLToPath(import.meta.url), ...row.split(' ')], { stdio: 'inherit' })
  }
} else {
  const { take, publish } = measure(format, kind)
  console.log(`${`${format} ${kind}`.padEnd(16)}${row(take)}${row(publish).padStart(22)}`)
}
