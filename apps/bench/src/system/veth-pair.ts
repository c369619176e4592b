import { spawnSync } from 'node:child_process'
import { deleteLink, interfaceIndex, setLink, systemErrnoOf } from '@vring/linux'
import { KernelSink } from './kernel-sink.ts'
import { enterPrivateNetwork } from './private-network.ts'

/** Names in this process' own network namespace: no other process has them. */
const NEAR = 'vring-near'
const FAR = 'vring-far'

/** Two interfaces with a wire between them: frames sent into {@link near} are counted and dropped where they come out. */
export class VethPair {
  /** The interface to send into. */
  readonly near: string = NEAR
  readonly #ifindex: number
  readonly #sink: KernelSink

  /** @throws Error where `ip` (iproute2) is missing or refuses; VringError ERR_SYSTEM: EPERM */
  constructor() {
    enterPrivateNetwork()
    const { status, stderr, error } = spawnSync('ip', ['link', 'add', NEAR, 'type', 'veth', 'peer', 'name', FAR], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`ip link add ... type veth: ${error?.message ?? stderr.trim()}`)
    this.#ifindex = interfaceIndex(NEAR)
    try {
      const far = interfaceIndex(FAR)
      setLink(far, { up: true })
      setLink(this.#ifindex, { up: true })
      this.#sink = new KernelSink(far)
    } catch (reason) {
      this.#delete()
      throw reason
    }
  }

  /** Frames that came out at the other end. */
  get arrived(): number {
    return this.#sink.arrived
  }

  /** Both ends go. */
  close(): void {
    this.#sink.close()
    this.#delete()
  }

  #delete(): void {
    try {
      deleteLink(this.#ifindex)
    } catch (error) {
      if (systemErrnoOf(error) !== 'ENODEV') throw error
    }
  }
}
