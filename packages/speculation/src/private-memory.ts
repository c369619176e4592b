/** A view of any width. */
interface View {
  readonly buffer: ArrayBufferLike
}

/** Which bytes of views that are not user memory a program has loaded or stored: what it knows anyway is no secret. */
export class PrivateMemory {
  readonly #isUser: (view: View) => boolean
  readonly #own = new Map<ArrayBufferLike, Uint8Array>()

  constructor(isUser: (view: View) => boolean) {
    this.#isUser = isUser
  }

  /** The program loads or stores this range. */
  own(view: View, offset: number, length: number): void {
    if (this.#isUser(view)) return
    let bytes = this.#own.get(view.buffer)
    if (bytes === undefined) {
      bytes = new Uint8Array(view.buffer.byteLength)
      this.#own.set(view.buffer, bytes)
    }
    bytes.fill(1, Math.max(0, offset), Math.max(0, offset + length))
  }

  isOwn(view: View, offset: number, length: number): boolean {
    const bytes = this.#own.get(view.buffer)
    return bytes?.subarray(offset, offset + length).every((own) => own === 1) ?? false
  }
}
