import assert from 'node:assert/strict'
import { type OnLoad, RecordingCpu } from '@vring/accessor'

/** Barriers that one run of a case may take: a device that takes more does not come to an end. */
const BARRIERS_MAX = 10_000

/**
 * A Cpu port beside a driver that is quicker than the device: after each load of the device it may write what it likes.
 * A device that fetches a field twice then gets two values.
 */
export class HostileCpu extends RecordingCpu {
  #barriers = 0

  constructor(onLoad: OnLoad | null = null) {
    super()
    this.onLoad = onLoad
  }

  override mb(): void {
    super.mb()
    assert.ok(++this.#barriers < BARRIERS_MAX, 'the device goes round and round')
  }
}
