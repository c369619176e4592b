import type { FrameBatch, FrameSource } from '@vring/vhost-net'
import type { CaptureFile } from './capture-file.ts'
import { EPB_INBOUND } from './pcapng-format.ts'

/** Captures the frames that a source delivers to a driver: each once, when it is consumed. */
export class CaptureSource implements FrameSource {
  private readonly file: CaptureFile
  private readonly interface: number
  private readonly source: FrameSource
  private batch: FrameBatch | null = null

  /** @param name of its interface in the capture, or the number of one that the file has already */
  constructor(file: CaptureFile, source: FrameSource, name: string | number = 'rx-0') {
    this.file = file
    this.source = source
    this.interface = typeof name === 'number' ? name : file.addInterface(name)
  }

  get wakeFd(): number {
    return this.source.wakeFd ?? -1
  }

  receive(): FrameBatch {
    this.batch = this.source.receive()
    return this.batch
  }

  consume(count: number): void {
    const batch = this.batch
    if (batch !== null && count > 0) {
      const { offset, length, headerBytes } = batch
      this.file.stamp()
      for (let i = 0; i < count; i++)
        this.file.write(this.interface, batch.view, offset[i]! + headerBytes, length[i]! - headerBytes, EPB_INBOUND)
    }
    this.source.consume(count)
  }
}
