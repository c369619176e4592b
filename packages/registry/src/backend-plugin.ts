import { VringError } from '@vring/layout'
import type { NetBackend } from '@vring/vhost-net'

/** What a backend can do. */
export interface BackendSupports {
  /** Works on frames where the driver left them; false: they are copied out first. */
  readonly inPlace: boolean
  /** Runs an XDP program on every frame. */
  readonly xdp: boolean
  /** Needs a capability (CAP_NET_ADMIN, CAP_BPF, ...). */
  readonly privileged: boolean
}

/** A backend by name: makes one {@link NetBackend} for each queue. */
export interface BackendPlugin {
  readonly name: string
  /** One line for people. */
  readonly description: string
  readonly supports: BackendSupports
  create(): NetBackend
}

/**
 * Checks and freezes a backend.
 *
 * @throws VringError ERR_INVALID_PLUGIN
 */
export function defineBackend(backend: BackendPlugin): BackendPlugin {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(backend.name))
    throw new VringError(
      'ERR_INVALID_PLUGIN',
      `backend ${JSON.stringify(backend.name)}: not lower-case words joined by -`,
      {
        field: 'name',
        value: backend.name,
        accepted: 'lower-case words joined by -',
      },
    )
  return Object.freeze({ ...backend, supports: Object.freeze({ ...backend.supports }) })
}
