/**
 * CPU time of a frame that an AF_XDP queue sends in copy mode: 64 bytes from memory of this process, over a veth whose
 * other end drops it in its driver. As root:
 * `npx tsx --conditions=@vring/source packages/backend-af-xdp/figures/transmit.ts [FRAMES A BATCH]`.
 */
import { spawnSync } from 'node:child_process'
import {
  assembleBpf,
  attachXdp,
  exitProgram,
  interfaceIndex,
  KernelXdpProgram,
  movImmediate,
  unshareNetwork,
} from '@vring/linux'
import { memoryView } from '@vring/memory'
import { FrameBatch, NET_BATCH } from '@vring/vhost-net'
import { AfXdpInterface, AfXdpQueue } from '../src/index.ts'

const HEADER_BYTES = 12
const FRAME_BYTES = 64
/** As a driver's buffers lie: far apart, the header at the end of a cache line. */
const BUFFER_BYTES = 2432
const BATCHES = 8
const SLICES = 40
const SLICE_MS = 30
const XDP_DROP = 1

const count = Math.min(NET_BATCH, Number(process.argv[2] ?? NET_BATCH))
unshareNetwork()
for (const line of ['add near type veth peer name far', 'set far up', 'set near up'])
  spawnSync('ip', ['link', ...line.split(' ')])
const drop = KernelXdpProgram.load({
  name: 'vring_drop',
  instructions: assembleBpf([movImmediate(0, XDP_DROP), exitProgram()]),
})
attachXdp(drop, interfaceIndex('far'))
const queue = new AfXdpQueue(AfXdpInterface.open({ name: 'near' }).handle(0), { mode: 'copy' })
const view = memoryView(new SharedArrayBuffer(BATCHES * NET_BATCH * BUFFER_BYTES))
const batches = Array.from({ length: BATCHES }, (_, batch) => {
  const frames = new FrameBatch(HEADER_BYTES, view)
  for (let i = 0; i < count; i++) {
    frames.offset[i] = (batch * NET_BATCH + i) * BUFFER_BYTES + 128 - HEADER_BYTES
    frames.length[i] = HEADER_BYTES + FRAME_BYTES
  }
  frames.count = count
  return frames
})

/** CPU time of a frame, ns. */
function slice(): number {
  const before = process.cpuUsage()
  const end = performance.now() + SLICE_MS
  let sent = 0
  while (performance.now() < end) {
    for (const frames of batches) {
      sent += queue.transmit(frames)
      queue.flush()
    }
  }
  const { user, system } = process.cpuUsage(before)
  return (1000 * (user + system)) / sent
}

for (let i = 0; i < 10; i++) slice()
const times = Array.from({ length: SLICES }, slice).sort((a, b) => a - b)
const at = (part: number): string => times[Math.floor(part * SLICES)]!.toFixed(0)
console.log(`batches of ${count}: ${at(0.5)} ns a frame, quartiles ${at(0.25)} to ${at(0.75)}`)
process.exit(0)
