import { closeFd, type EventFd } from '@vring/linux'
import { type Chain, scatter } from './device.ts'
import type { Piece } from './guest-memory.ts'
import type { ModelSession } from './session.ts'

/** A ring that can't be served: it is left alone from then on. */
class Broken extends Error {}
/** An address that has no IOTLB entry yet. */
class Miss extends Error {}

const NEXT = 1
const WRITE = 2
const INDIRECT = 4
const AVAIL = 0x80
const USED = 0x8000

/** Faults of a back-end that looks at a ring only when it is kicked. */
const WAITING = ['drains-early-kicks', 'never-kick', 'wrong-avail-event']

/** One ring of the model, in either format, looked at again and again. */
export class ModelRing {
  readonly index: number
  size = 0
  avail = 0
  used = 0
  availWrap = true
  usedWrap = true
  address: { desc: bigint; used: bigint; avail: bigint; flags: number; log: number } | null = null
  kick: EventFd | null = null
  kickFd = -1
  call: EventFd | null = null
  error: EventFd | null = null
  /** A stand-in for an event descriptor that is none. */
  plainErrorFd = -1
  started = false
  polled = false
  enabled = false
  broken = false
  /** Heads that a back-end before this one had taken and not used. */
  resubmit: number[] = []
  readonly #session: ModelSession

  constructor(session: ModelSession, index: number) {
    this.#session = session
    this.index = index
  }

  fault(name: string): boolean {
    return this.#session.fault(name)
  }

  /** Everything that it needs was told. */
  get ready(): boolean {
    const unstarted = this.fault('runs-unstarted') ? this.address !== null : this.started
    return (
      unstarted && !this.broken && this.size > 0 && this.address !== null && this.#session.memory.regions.length > 0
    )
  }

  /** Takes what is available, up to so many chains; for receive queues only what `frames` need. */
  serve(): void {
    if (!this.ready || this.fault('idle')) return
    if (this.fault('never-polls') && this.polled) return
    // A kick is a hint: the ring is looked at all the same.
    const kicked = this.kick?.drain() ?? false
    if (!this.polled && !kicked && WAITING.some((name) => this.fault(name))) return
    const session = this.#session
    const { device } = session
    const enabled = this.enabled || this.fault('ignores-enable')
    try {
      if (device.kind === 'net' && this.index % 2 === 0) {
        this.#receive(enabled)
        return
      }
      if (device.kind === 'blk' && !enabled) return
      if (device.kind === 'net' && !enabled && this.fault('disabled-stops')) return
      for (let n = 0; n < 256; n++) {
        const chain = this.#pop()
        if (chain === null) return
        const written = device.serve(this.index, chain, enabled)
        if (written === null && device.kind === 'blk') {
          session.anomaly()
          // Nothing can be said of it but that it is done.
          this.#push(chain, 0)
        } else this.#push(chain, written ?? 0)
        if (written === null) session.anomaly()
        this.#mark(chain.writable)
        this.#publish()
      }
    } catch (failure) {
      if (failure instanceof Miss) return
      if (!(failure instanceof Broken)) throw failure
      session.anomaly()
      this.broken = true
      if (!this.fault('no-error')) this.error?.signal()
    }
  }

  #receive(enabled: boolean): void {
    const { device } = this.#session
    const frames = device.frames.get(this.index >> 1) ?? []
    if (!enabled) return
    while (frames.length > 0) {
      const packet = new Uint8Array(12 + frames[0]!.length)
      packet.set(frames[0]!, 12)
      const chains: (Chain & PoppedChain)[] = []
      const rewind = { avail: this.avail, wrap: this.availWrap }
      let room = 0
      while (room < packet.length) {
        const chain = this.#pop()
        if (chain === null) {
          this.avail = rewind.avail
          this.availWrap = rewind.wrap
          // It does not wait for them: a driver that gives no buffers gets no frames.
          if (chains.length === 0 && !this.fault('keeps-frames')) frames.splice(0)
          return
        }
        chains.push(chain)
        room += chain.writable.reduce((sum, { length }) => sum + length, 0)
      }
      frames.shift()
      packet[10] = this.fault('num-buffers') ? 7 : chains.length
      let done = 0
      for (const chain of chains) {
        const part = scatter(chain.writable, packet.subarray(done))
        done += part
        this.#push(chain, part)
        this.#mark(chain.writable)
      }
      this.#publish()
    }
  }

  // What follows is the ring itself.

  #areas(): { desc: Piece; used: Piece; avail: Piece } {
    const { desc, used, avail } = this.address!
    const packed = this.#session.packed
    const area = (address: bigint, length: number, write: boolean): Piece => {
      const pieces = this.#session.isIova
        ? this.#translate(address, length, write)
        : this.#session.memory.resolve(address, length, 'user')
      if (pieces === null || pieces.length !== 1) throw new Broken()
      return pieces[0]!
    }
    return {
      desc: area(desc, 16 * this.size, packed),
      used: area(used, packed ? 4 : 6 + 8 * this.size, true),
      avail: area(avail, packed ? 4 : 6 + 2 * this.size, false),
    }
  }

  #translate(address: bigint, length: number, write: boolean): Piece[] | null {
    const session = this.#session
    if (!session.isIova)
      return session.memory.resolve(address, length, this.fault('one-address-space') ? 'user' : 'guest')
    const entry = session.iotlb.find(({ iova, size }) => address >= iova && address + BigInt(length) <= iova + size)
    if (entry === undefined) {
      if (!this.fault('asks-no-miss')) session.askMiss(address, write)
      throw new Miss()
    }
    return session.memory.resolve(entry.user + address - entry.iova, length, 'user')
  }

  #buffer(address: bigint, length: number, write: boolean): Piece[] {
    if (length === 0 || length > 0x1000_0000) throw new Broken()
    const pieces = this.#translate(address, length, write)
    if (pieces === null || (this.fault('one-region') && pieces.length > 1)) throw new Broken()
    return pieces
  }

  #pop(): (Chain & PoppedChain) | null {
    return this.#session.packed ? this.#popPacked() : this.#popSplit()
  }

  #popSplit(): (Chain & PoppedChain) | null {
    const { desc, avail } = this.#areas()
    const again = this.resubmit.shift()
    if (again !== undefined) {
      const chain = { readable: [] as Piece[], writable: [] as Piece[], id: again, count: 1 }
      this.#walk(desc, this.size, again, chain, false)
      return chain
    }
    const idx = Atomics.load(avail.u16, (avail.at >> 1) + 1)
    const ahead = (idx - this.avail) & 0xffff
    if (ahead === 0) return null
    if (ahead > this.size) throw new Broken()
    const head = avail.view.getUint16(avail.at + 4 + 2 * (this.avail % this.size), true)
    if (head >= this.size) throw new Broken()
    const chain = { readable: [] as Piece[], writable: [] as Piece[], id: head, count: 1 }
    this.#walk(desc, this.size, head, chain, false)
    this.#session.tracking?.begin(this, head)
    this.avail = (this.avail + 1) & 0xffff
    if (this.fault('wraps-early') && this.avail === 0) this.avail = 1
    return chain
  }

  #walk(
    table: Piece,
    entries: number,
    first: number,
    chain: Chain & { readable: Piece[]; writable: Piece[] },
    nested: boolean,
  ): void {
    let index = first
    for (let n = 0; ; n++) {
      if (index >= entries || n >= entries) throw new Broken()
      const at = table.at + 16 * index
      const address = table.view.getBigUint64(at, true)
      const length = table.view.getUint32(at + 8, true)
      const flags = table.view.getUint16(at + 12, true)
      if ((flags & INDIRECT) !== 0) {
        if (
          nested ||
          (flags & NEXT) !== 0 ||
          length % 16 !== 0 ||
          !this.#session.hasIndirect ||
          this.fault('no-indirect')
        )
          throw new Broken()
        const inner = this.#buffer(address, length, false)
        if (inner.length !== 1) throw new Broken()
        this.#walk(inner[0]!, length / 16, 0, chain, true)
        return
      }
      const write = (flags & WRITE) !== 0
      if (!write && chain.writable.length > 0) throw new Broken()
      ;(write ? chain.writable : chain.readable).push(...this.#buffer(address, length, write))
      if ((flags & NEXT) === 0) return
      index = table.view.getUint16(at + 14, true)
    }
  }

  #popPacked(): (Chain & PoppedChain) | null {
    const { desc } = this.#areas()
    const chain = { readable: [] as Piece[], writable: [] as Piece[], id: 0, count: 0 }
    let at = this.avail
    let wrap = this.availWrap
    for (;;) {
      const place = desc.at + 16 * at
      const flags = Atomics.load(desc.u16, (place + 14) >> 1)
      if (chain.count === 0 && ((flags & AVAIL) !== 0) !== wrap) return null
      if (chain.count === 0 && ((flags & USED) !== 0) === wrap) return null
      if (chain.count >= this.size) throw new Broken()
      const address = desc.view.getBigUint64(place, true)
      const length = desc.view.getUint32(place + 8, true)
      chain.id = desc.view.getUint16(place + 12, true)
      if ((flags & INDIRECT) !== 0) {
        if (
          chain.count > 0 ||
          (flags & NEXT) !== 0 ||
          length % 16 !== 0 ||
          !this.#session.hasIndirect ||
          this.fault('no-indirect')
        )
          throw new Broken()
        this.#packedTable(this.#buffer(address, length, false), chain)
      } else {
        const write = (flags & WRITE) !== 0
        if (!write && chain.writable.length > 0) throw new Broken()
        ;(write ? chain.writable : chain.readable).push(...this.#buffer(address, length, write))
      }
      chain.count++
      at++
      if (at === this.size) {
        at = 0
        wrap = !wrap
      }
      if ((flags & NEXT) === 0) break
    }
    if (chain.id >= this.size) throw new Broken()
    this.avail = at
    this.availWrap = wrap
    return chain
  }

  #packedTable(table: readonly Piece[], chain: { readable: Piece[]; writable: Piece[] }): void {
    const [piece] = table
    if (piece === undefined || table.length !== 1) throw new Broken()
    for (let at = piece.at; at < piece.at + piece.length; at += 16) {
      const write = (piece.view.getUint16(at + 14, true) & WRITE) !== 0
      const buffer = this.#buffer(piece.view.getBigUint64(at, true), piece.view.getUint32(at + 8, true), write)
      ;(write ? chain.writable : chain.readable).push(...buffer)
    }
  }

  #push(chain: PoppedChain, written: number): void {
    this.#session.tracking?.finish(this, chain.id)
    const { desc, used } = this.#areas()
    if (this.fault('wrong-id')) chain.id ^= 1
    if (this.#session.packed) {
      const place = desc.at + 16 * this.used
      desc.view.setUint16(place + 12, chain.id, true)
      desc.view.setUint32(place + 8, written, true)
      const flags = (this.usedWrap ? AVAIL | USED : 0) | (written > 0 ? WRITE : 0)
      Atomics.store(desc.u16, (place + 14) >> 1, flags)
      this.used += chain.count
      if (this.used >= this.size) {
        this.used -= this.size
        this.usedWrap = this.fault('never-wraps') ? this.usedWrap : !this.usedWrap
      }
    } else {
      const at = used.at + 4 + 8 * (this.used % this.size)
      used.view.setUint32(at, chain.id, true)
      used.view.setUint32(at + 4, written, true)
      this.used = (this.used + 1) & 0xffff
    }
    this.#chains += 1
    this.#descriptors += chain.count
  }

  #chains = 0
  #descriptors = 0

  #publish(): void {
    const { desc, used, avail } = this.#areas()
    const { packed, eventIdx } = this.#session
    const count = packed ? this.#descriptors : this.#chains
    this.#chains = 0
    this.#descriptors = 0
    if (!packed) {
      if (this.fault('touches-avail')) avail.view.setUint16(avail.at, 1, true)
      Atomics.store(used.u16, (used.at >> 1) + 1, this.used)
      const wanted = this.fault('wrong-avail-event') ? this.avail + 9 : this.avail
      if (eventIdx) used.view.setUint16(used.at + 4 + 8 * this.size, wanted & 0xffff, true)
    }
    if (packed && this.fault('touches-avail')) avail.view.setUint16(avail.at, 77, true)
    if (this.fault('never-kick')) used.view.setUint16(packed ? used.at + 2 : used.at, 1, true)
    this.#session.tracking?.publish(this)
    const areas = packed ? desc : used
    const { flags, log } = this.address!
    const logs = this.#session
    if ((flags & 1) !== 0 || packed) logs.markPages(packed ? desc.guest : log, areas.length)
    if (this.#wantsCall(avail, count)) this.call?.signal()
  }

  #wantsCall(avail: Piece, count: number): boolean {
    if (this.fault('calls-always')) return true
    if (this.fault('calls-never')) return false
    const { packed, eventIdx } = this.#session
    if (packed) {
      const flags = avail.view.getUint16(avail.at + 2, true) & 3
      if (flags === 1) return false
      if (flags !== 2 || !eventIdx) return true
      const off = avail.view.getUint16(avail.at, true)
      const wrap = (off & 0x8000) !== 0
      let event = off & 0x7fff
      if (wrap !== this.usedWrap) event -= this.size
      return event >= this.used - count && event < this.used
    }
    if (!eventIdx) return (avail.view.getUint16(avail.at, true) & 1) === 0
    const event = avail.view.getUint16(avail.at + 4 + 2 * this.size, true)
    return ((this.used - event - 1) & 0xffff) < count
  }

  #mark(pieces: readonly Piece[]): void {
    if (this.fault('logs-no-data')) return
    for (const { guest, length } of pieces) this.#session.markPages(guest, length)
  }

  /** Stops; nothing of it is touched any more. */
  stop(): void {
    this.started = false
    this.polled = false
    this.broken = false
    this.kick?.close()
    this.kick = null
  }

  close(): void {
    this.stop()
    this.call?.close()
    this.error?.close()
    closeFd(this.plainErrorFd)
    this.plainErrorFd = -1
  }
}

interface PoppedChain {
  id: number
  readonly count: number
}
