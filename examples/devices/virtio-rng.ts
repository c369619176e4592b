// A virtio entropy device in thirty lines (VirtIO 1.3 section 5.4):
//   npx tsx --conditions=@vring/source examples/devices/virtio-rng.ts /run/rng.sock
// and QEMU with `-chardev socket,id=c,path=/run/rng.sock -device vhost-user-rng-pci,chardev=c`.
import { randomFillSync } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { copyChecked } from '@vring/accessor-copy-checked'
import {
  featureSet,
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_VERSION_1,
  VIRTIO_ID_RNG,
} from '@vring/layout'
import { RequestQueue, type StartedVring, serveVhostUser, type VhostUserDevice } from '@vring/vhost-user'

/** Bytes that one request gets at most: what it keeps the thread busy with. */
const BYTES_MAX = 4096

export class RngDevice implements VhostUserDevice {
  readonly deviceId: number = VIRTIO_ID_RNG
  readonly features: bigint = featureSet(VIRTIO_F_VERSION_1, VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC)
  readonly queueCount = 1
  readonly queueNum = 1
  private queue: RequestQueue | null = null
  private enabled = false

  startQueue(vring: StartedVring): void {
    this.queue = new RequestQueue(vring, { accessor: copyChecked })
  }

  stopQueue(): number {
    const base = this.queue!.close()
    this.queue = null
    return base
  }

  setQueueEnabled(_: number, enabled: boolean): void {
    this.enabled = enabled
  }

  serveQueue(): number {
    const requests = this.enabled ? this.queue!.take(16) : []
    for (const request of requests) {
      const bytes = randomFillSync(new Uint8Array(Math.min(request.writeBytes, BYTES_MAX)))
      this.queue!.finish(request, request.write(0, bytes) === 0 ? bytes.length : 0)
    }
    this.queue!.flush()
    return requests.length
  }

  armQueue(): boolean {
    return this.enabled && this.queue!.arm()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path] = process.argv.slice(2)
  if (path === undefined) throw new Error('usage: virtio-rng.ts SOCKET')
  serveVhostUser({ path, role: 'server', device: new RngDevice() })
}
