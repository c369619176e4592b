import { type LinkEvent, type LinkInfo, LinkMonitor, linkInfo } from '@vring/linux'

/** What the daemon follows of an interface that it serves. */
export interface FollowedLink {
  readonly ifindex: number
  /** As it was opened. */
  readonly name: string
  /** Its MTU is another now, bytes. */
  readonly followMtu: (mtu: number) => void
  /** What becomes of its frames while it is in another network namespace. */
  readonly whenMoved: string
  /** The XDP program that was put on it, or null. */
  readonly program: FollowedProgram | null
}

/** An XDP program of an interface. */
export interface FollowedProgram {
  /** The kernel's number for it. */
  readonly id: number
  /** What becomes of frames when it is taken off. */
  readonly whenOff: string
}

/** Where an interface is now. */
export type LinkPlace = 'here' | 'moved' | 'deleted'

/** Follows one interface: says what happens to it, once each time, and takes over its MTU. */
export class LinkWatch {
  /** Its name now. */
  name: string
  up: boolean
  place: LinkPlace = 'here'
  /** Is the XDP program that was put on it still there? Null: there is none. The kernel tells of it only when it is asked. */
  hasProgram: boolean | null
  readonly #link: FollowedLink
  readonly #log: (line: string) => void
  readonly #monitor: LinkMonitor
  #mtu: number

  private constructor(link: FollowedLink, info: LinkInfo, log: (line: string) => void) {
    this.#link = link
    this.#log = log
    this.name = info.name
    this.up = info.up
    this.hasProgram = link.program === null ? null : true
    if (!info.up) this.#sayUp()
    this.#mtu = info.mtu
    this.#monitor = LinkMonitor.open((event) => this.see(event))
  }

  /** @throws VringError ERR_SYSTEM */
  static start(link: FollowedLink, log: (line: string) => void): LinkWatch {
    return new LinkWatch(link, linkInfo(link.ifindex), log)
  }

  /** What the kernel counts and says about it now, or null: it is not here. */
  info(): LinkInfo | null {
    if (this.place !== 'here') return null
    try {
      const info = linkInfo(this.#link.ifindex)
      this.#seeProgram(info)
      return info
    } catch {
      return null
    }
  }

  /** A datapath has noticed that it is gone. */
  gone(): void {
    if (this.place === 'deleted') return
    this.place = 'deleted'
    this.#log(`${this.name} was deleted: its frames are dropped and counted as gone`)
  }

  async close(): Promise<void> {
    await this.#monitor.close()
  }

  see(event: LinkEvent): void {
    // Another interface may have its number in the namespace where it was.
    if (event.ifindex !== this.#link.ifindex || this.place !== 'here') return
    if (event.kind === 'deleted') this.gone()
    else if (event.kind === 'moved') {
      this.place = 'moved'
      this.#log(`${this.name} moved to another network namespace: ${this.#link.whenMoved}`)
    } else this.#changed(event)
  }

  #changed({ name, up, mtu }: Extract<LinkEvent, { kind: 'changed' }>): void {
    if (name !== '' && name !== this.name) {
      this.#log(`${this.name} was renamed to ${name}`)
      this.name = name
    }
    if (up !== this.up) {
      this.up = up
      this.#sayUp()
    }
    if (mtu > 0 && mtu !== this.#mtu) {
      this.#mtu = mtu
      this.#link.followMtu(mtu)
      this.#log(`${this.name} has MTU ${mtu}`)
    }
  }

  #sayUp(): void {
    this.#log(this.up ? `${this.name} is up` : `${this.name} is down: its frames are dropped and counted as down`)
  }

  #seeProgram({ xdp }: LinkInfo): void {
    const { program } = this.#link
    // Of several programs at once the kernel does not say which.
    if (program === null || this.hasProgram === false || xdp.mode === 'multi' || xdp.programId === program.id) return
    this.hasProgram = false
    this.#log(`the XDP program of ${this.name} was taken off: ${program.whenOff}`)
  }
}
