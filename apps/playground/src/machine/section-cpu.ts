import { RecordingCpu, type Step } from '@vring/accessor'

/**
 * A port that records, and tells when user memory is closed again. That is the end of an access that goes through no
 * window, to an indirect table or to payload.
 */
export class SectionCpu extends RecordingCpu {
  #onClose: () => void = () => {}

  /** From now on `listener` is called after each clac. */
  onClose(listener: () => void): void {
    this.#onClose = listener
  }

  /** The steps since the last call. */
  takeSteps(): Step[] {
    const names = this.names()
    this.recorded.length = 0
    return names
  }

  override clac(): void {
    super.clac()
    this.#onClose()
  }
}
