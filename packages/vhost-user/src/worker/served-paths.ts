import { checkDevice } from '../device/check-device.ts'
import type { VhostUserDevice } from '../device/device.ts'
import { linuxHost } from '../host/linux-host.ts'
import type { SessionHost } from '../host/session-host.ts'
import type { FaultHandler } from '../report-fault.ts'
import { BackendSession } from '../session/backend-session.ts'
import type { SessionTrace } from '../session/backend-session-options.ts'
import type { Refusal } from '../session/refusal.ts'
import { type EndpointOptions, VhostUserEndpoint } from './endpoint.ts'
import { sooner } from './served-session.ts'

/** A path that a worker serves: one frontend after the other. */
export interface ServedPath extends EndpointOptions {
  readonly device: VhostUserDevice
  /** Sees every whole message. */
  readonly trace?: SessionTrace
  /** See `BackendSessionOptions`. */
  readonly memoryBytesMax?: number
  /** See `BackendSessionOptions`. */
  readonly onFault?: FaultHandler
  /** See `BackendSessionOptions`. */
  readonly onRefusal?: (refusal: Refusal, session: BackendSession) => void
  /** What a session needs of the operating system. Default {@link linuxHost}. */
  readonly host?: SessionHost
  /** See `BackendSessionOptions`. */
  readonly onNote?: (line: string) => void
  /** A frontend connected. */
  readonly onOpen?: (session: BackendSession) => void
  /** A session is over; `session.error` says why, null: the frontend hung up. */
  readonly onClose?: (session: BackendSession) => void
}

interface Listening {
  readonly endpoint: VhostUserEndpoint
  readonly path: ServedPath
  /** A device serves one session at a time: who comes meanwhile waits. */
  busy: boolean
}

/** Serves a session until it is over. */
export type SessionOpener = (session: BackendSession, device: VhostUserDevice, onClose: () => void) => void

/** The paths that a worker serves, in a list by which their sockets are waited for. */
export class ServedPaths {
  readonly #open: SessionOpener
  readonly #paths: Listening[] = []

  constructor(open: SessionOpener) {
    this.#open = open
  }

  /** @throws VringError when the endpoint can't be made (path in use, no permission), or the device is none */
  serve(path: ServedPath): void {
    checkDevice(path.device)
    this.#paths.push({ endpoint: new VhostUserEndpoint(path), path, busy: false })
  }

  get count(): number {
    return this.#paths.length
  }

  /** The socket that a frontend comes to, by the place in the list; -1: there is none, or none is taken now. */
  fd(index: number): number {
    const { busy, endpoint } = this.#paths[index]!
    return busy ? -1 : endpoint.fd
  }

  /** How long to wait for a frontend before connecting to it again, in ms; -1: for ever. */
  get waitMs(): number {
    let waitMs = -1
    for (const { busy, endpoint } of this.#paths) if (!busy) waitMs = sooner(waitMs, endpoint.waitMs)
    return waitMs
  }

  /**
   * Connects to the frontends that listen.
   *
   * @throws VringError when an endpoint fails
   */
  connect(): void {
    for (const one of this.#paths) if (one.endpoint.role === 'client') this.#accept(one)
  }

  /**
   * Takes the frontend that has come to a path, where its device is free.
   *
   * @throws VringError when an endpoint fails
   */
  accept(index: number): void {
    this.#accept(this.#paths[index]!)
  }

  /** Drops the endpoints whose only connection is over. */
  dropEnded(): void {
    for (let i = this.#paths.length - 1; i >= 0; i--) {
      const { busy, endpoint } = this.#paths[i]!
      if (!busy && endpoint.ended) this.#paths.splice(i, 1)
    }
  }

  close(): void {
    for (const { endpoint } of this.#paths.splice(0)) endpoint.close()
  }

  #accept(one: Listening): void {
    if (one.busy) return
    const transport = one.endpoint.take()
    if (transport === null) return
    const { path } = one
    const { onRefusal, host = linuxHost } = path
    const session: BackendSession = new BackendSession({
      ...path,
      transport,
      host,
      onRefusal: (refusal) => onRefusal?.(refusal, session),
    })
    one.busy = true
    this.#open(session, path.device, () => {
      one.busy = false
      path.onClose?.(session)
    })
    path.onOpen?.(session)
  }
}
