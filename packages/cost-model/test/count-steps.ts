import { type AccessorPlugin, CountingCpu, type Steps } from '@vring/accessor'
import { featureSet, splitRingAreas, VIRTIO_F_EVENT_IDX, VIRTIO_F_VERSION_1 } from '@vring/layout'
import { MappedSpace, memoryView } from '@vring/memory'
import { DropBackend, TxRound } from '@vring/vhost-net'
import { createDeviceQueue, createDriverQueue } from '@vring/virtqueue'

const FEATURES = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX)
const QUEUE_SIZE = 256
const PAYLOAD_ADDRESS = 0x8000
/** virtio-net header and frame. */
const PAYLOAD_BYTES = 12 + 64
const ROUNDS = 16

/**
 * Steps per packet of an accessor on the real datapath: a driver that is always ahead publishes 256 packets of 64 bytes,
 * the device works them off in batches of 64 and copies header and frame one after the other.
 */
export function countSteps(plugin: AccessorPlugin, options: Readonly<Record<string, string>>): Steps {
  const bytes = 0x10000
  const view = memoryView(new SharedArrayBuffer(bytes))
  const space = new MappedSpace([{ address: 0, length: bytes, view, viewOffset: 0 }])
  const ring = splitRingAreas(QUEUE_SIZE, true, 0x1000, 0x2000, 0x3000)
  const cpu = new CountingCpu()
  const accessor = plugin.create({ cpu, space, ring, iotlb: null }, options)
  const queue = createDeviceQueue({ accessor, cpu, ring, features: FEATURES, buffers: space, nospec: 'none' })
  const driver = createDriverQueue({ ring, memory: space, features: FEATURES })
  const round = new TxRound({
    queue,
    buffers: space,
    backend: new DropBackend(),
    cpu,
    features: FEATURES,
    payload: 'copy-split',
    notification: 'poll',
  })
  accessor.beginRound()
  queue.start(0)
  accessor.endRound()
  let packets = 0
  for (let i = 0; i <= ROUNDS; i++) {
    while (driver.addOne(PAYLOAD_ADDRESS, PAYLOAD_BYTES, false) >= 0);
    driver.publish()
    const done = round.run()
    if (done !== QUEUE_SIZE) throw new Error(`round of ${done} packets ended ${round.end}: ${queue.broken}`)
    while (driver.getUsed());
    // The first round warms up: no notification was sent before it.
    if (i === 0) cpu.reset()
    else packets += done
  }
  accessor.close()
  const counts = Object.entries(cpu.steps).map(([name, count]) => [name, count / packets])
  return Object.fromEntries(counts) as Record<keyof Steps, number>
}
