import {
  BACKEND_API_VERSION,
  type BackendPlugin,
  defineBackend,
  type FrameBatch,
  FrameTotals,
  type NetBackend,
  type NetBackendCounters,
} from '@vring/vhost-net'

/** Bytes of an Ethernet header: a frame below it is none. */
const ETH_HEADER_BYTES = 14

/** Say here what your backend does, and where frames go. */
export const template: BackendPlugin = defineBackend({
  name: 'template',
  apiVersion: BACKEND_API_VERSION,
  description: 'counts frames and forgets them',
  supports: { inPlace: true, xdp: false, privileged: false, receives: false },
  create: () => new TemplateBackend(),
})

class TemplateBackend implements NetBackend {
  readonly name: string = 'template'
  private readonly sent = new FrameTotals()
  private short = 0

  /** Frames lie in the driver's memory until flush returns, and may change while you look: read once. */
  transmit({ count, length, headerBytes }: FrameBatch): number {
    let bytes = 0
    for (let i = 0; i < count; i++) {
      const frameBytes = length[i]! - headerBytes
      bytes += frameBytes
      if (frameBytes < ETH_HEADER_BYTES) this.short++
    }
    this.sent.add(count, bytes)
    return count
  }

  flush(): void {}

  get counters(): NetBackendCounters {
    const { frames, bytes } = this.sent
    return { txFrames: frames, txBytes: bytes, txDropped: this.short > 0 ? { short: this.short } : {} }
  }

  close(): void {}
}
