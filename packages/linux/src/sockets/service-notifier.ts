import { AF_UNIX, SOCK_CLOEXEC, SOCKADDR_UN } from '../abi.ts'
import { clockNs } from '../clock.ts'
import { closeFd } from '../descriptors/fd.ts'
import { checked, fixedBytes, libc } from '../libc.ts'

const SOCK_DGRAM = 2
const MSG_NOSIGNAL = 0x4000

/**
 * Tells a service manager how things are, by the protocol of sd_notify(3): one datagram with lines to the socket that
 * `NOTIFY_SOCKET` names. A manager that does not listen is none.
 */
export class ServiceNotifier {
  readonly #address: Uint8Array | null
  /** How often to say that all is well, ms: half of `WATCHDOG_USEC`; null: there is no watchdog. */
  readonly watchdogMs: number | null

  /** @param env where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` stand */
  constructor(env: Readonly<Record<string, string | undefined>>, pid: number = process.pid) {
    this.#address = addressOf(env.NOTIFY_SOCKET ?? '')
    const microseconds = Number(env.WATCHDOG_USEC)
    const isMine = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid
    this.watchdogMs = this.#address !== null && isMine && microseconds > 0 ? microseconds / 2000 : null
  }

  /** Everything that was asked for is there. */
  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${status}`)
  }

  /** The configuration is read again; {@link ready} ends it. */
  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${Math.floor(clockNs('monotonic') / 1000)}`)
  }

  /** All is well: to be said more often than the watchdog bites. */
  alive(): void {
    this.#send('WATCHDOG=1')
  }

  stopping(): void {
    this.#send('STOPPING=1')
  }

  #send(text: string): void {
    if (this.#address === null) return
    const bytes = new TextEncoder().encode(text)
    const fd = checked('socket', (c) => c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    libc().sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, this.#address, this.#address.length)
    closeFd(fd)
  }
}

/** A path, or a name in the abstract namespace, which begins with `@`. */
function addressOf(name: string): Uint8Array | null {
  const bytes = new TextEncoder().encode(name)
  if (!/^[/@]/.test(name) || bytes.length >= SOCKADDR_UN.size - SOCKADDR_UN.sun_path) return null
  const address = fixedBytes(SOCKADDR_UN.sun_path + bytes.length)
  address[SOCKADDR_UN.sun_family] = AF_UNIX
  address.set(bytes, SOCKADDR_UN.sun_path)
  if (name.startsWith('@')) address[SOCKADDR_UN.sun_path] = 0
  return address
}
