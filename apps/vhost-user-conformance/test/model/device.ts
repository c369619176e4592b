import type { Piece } from './guest-memory.ts'

/** A chain as the device sees it. */
export interface Chain {
  readonly readable: readonly Piece[]
  readonly writable: readonly Piece[]
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

export function gather(pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(lengthOf(pieces))
  let to = 0
  for (const piece of pieces) {
    bytes.set(piece.bytes.subarray(piece.at, piece.at + piece.length), to)
    to += piece.length
  }
  return bytes
}

/** Writes from the begin of the pieces on; bytes that found room. */
export function scatter(pieces: readonly Piece[], bytes: Uint8Array, from = 0): number {
  let skip = from
  let done = 0
  for (const piece of pieces) {
    const into = Math.min(skip, piece.length)
    skip -= into
    const count = Math.min(piece.length - into, bytes.length - done)
    piece.bytes.set(bytes.subarray(done, done + count), piece.at + into)
    done += count
  }
  return done
}

const SECTORS = 128
const SECTOR = 512

/** A block device in memory, or a network device that sends back what it gets. */
export class ModelDevice {
  readonly kind: 'net' | 'blk'
  readonly readOnly: boolean
  readonly disk = new Uint8Array(SECTORS * SECTOR).map((_, at) => at * 7)
  /** Frames on their way back, by queue pair. */
  readonly frames = new Map<number, Uint8Array[]>()
  readonly #fault: (name: string) => boolean

  constructor(kind: 'net' | 'blk', fault: (name: string) => boolean) {
    this.kind = kind
    this.readOnly = fault('read-only') || fault('read-only-writes')
    this.#fault = fault
  }

  /** Configuration space. */
  get config(): Uint8Array {
    const bytes = new Uint8Array(this.kind === 'blk' ? 60 : 12)
    if (this.kind === 'blk')
      new DataView(bytes.buffer).setBigUint64(0, this.#fault('no-capacity') ? 0n : 0x0102_0304_0000_0080n, true)
    else bytes.set([2, 0, 0, 0, 0, 2, 1, 0, 4, 0])
    return bytes
  }

  /** Serves a request; bytes written, or null for one that is malformed. */
  serve(queue: number, chain: Chain, enabled: boolean): number | null {
    return this.kind === 'blk' ? this.#block(chain) : this.#transmit(queue >> 1, chain, enabled)
  }

  #transmit(pair: number, { readable, writable }: Chain, enabled: boolean): number | null {
    if (writable.length > 0 || lengthOf(readable) < 12 + 14 || lengthOf(readable) > 70_000) return null
    if (this.#fault('one-descriptor-headers') && readable[0]!.length < 12) return 0
    const frame = gather(readable).subarray(12)
    if (this.#fault('writes-readable')) readable[0]!.bytes[readable[0]!.at + 30]! ^= 1
    if (this.#fault('corrupts-frames')) frame[20]! ^= 1
    if (enabled || this.#fault('disabled-transmits'))
      this.frames.set(pair, [...(this.frames.get(pair) ?? []).slice(-63), frame])
    return this.#fault('used-length') ? 1 : 0
  }

  #block({ readable, writable }: Chain): number | null {
    const room = lengthOf(writable) - 1
    if (lengthOf(readable) < 16 || room < 0 || room > 1 << 20) return null
    if (this.#fault('one-descriptor-headers') && readable[0]!.length !== 16) return null
    const request = gather(readable)
    const view = new DataView(request.buffer)
    const type = view.getUint32(0, true)
    const at = Number(view.getBigUint64(8, true)) * SECTOR
    if (this.#fault('writes-readable')) readable[0]!.bytes[readable[0]!.at + 4]! ^= 1
    let status = 0
    let written = 0
    if (type === 0) {
      if (room % SECTOR !== 0 || at + room > this.disk.length) status = this.#fault('reads-beyond') ? 0 : 1
      else if (this.#fault('cuts-data'))
        written = scatter(writable.slice(0, 1), this.disk.subarray(at, at + Math.min(room, writable[0]!.length)))
      else written = scatter(writable, this.disk.subarray(at, at + room))
    } else if (type === 1) {
      const data = request.subarray(16)
      if (this.readOnly && !this.#fault('read-only-writes')) status = 1
      else if (data.length % SECTOR !== 0 || at + data.length > this.disk.length) status = 1
      else if (this.#fault('drops-writes')) status = 0
      else if (this.#fault('loses-writes')) this.disk.fill(0, 0, SECTOR)
      else this.disk.set(data, at)
    } else if (type === 4) status = this.#fault('no-flush') ? 1 : 0
    else if (type === 8) written = this.#fault('no-id') ? 0 : scatter(writable, new Uint8Array(Math.min(20, room)))
    else status = this.#fault('knows-every-type') ? 0 : 2
    if (type === 8 && this.#fault('no-id')) status = 1
    scatter(writable, Uint8Array.of(status), room)
    return (this.#fault('used-length') ? 0 : written) + 1
  }
}
