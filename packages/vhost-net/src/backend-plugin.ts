import { VringError } from '@vring/layout'
import type { FrameSource } from './frame-source.ts'
import type { NetBackend } from './net-backend.ts'

/** The version of this contract that backend plugins name. A registry refuses another one. */
export const BACKEND_API_VERSION = 1

/** What a backend can do: what selection reads, and the only way a case of the conformance kit is left out. */
export interface BackendSupports {
  /** Works on frames where the driver left them; false: they are copied out first. */
  readonly inPlace: boolean
  /** Runs an XDP program on every frame. */
  readonly xdp: boolean
  /** Needs a capability (CAP_NET_ADMIN, CAP_BPF, ...). */
  readonly privileged: boolean
  /** Is a {@link FrameSource} as well: frames for the driver come from it. */
  readonly receives: boolean
}

/** What a plugin author writes: a backend by name, of which each queue has one of its own. */
export interface BackendDefinition {
  /** Lower-case words joined by `-`. */
  readonly name: string
  /** {@link BACKEND_API_VERSION} it was written against. */
  readonly apiVersion: number
  /** One line for people. */
  readonly description: string
  readonly supports: BackendSupports
  /** What the text of `NAME:TEXT` is, for people, such as `FILE`. Left out: the backend takes none. */
  readonly argument?: string
  /**
   * Makes the backend of one queue, at once. What takes time to set up is done by the module that exports the plugin, which
   * may await, or later, in {@link NetBackend.transmit}: until then it takes no frame.
   *
   * @param argument the text of `NAME:TEXT`, or null
   * @throws VringError for an argument or a machine that it does not work with
   */
  create(argument: string | null): NetBackend | (NetBackend & FrameSource)
}

const brand: unique symbol = Symbol.for('vring.backend-plugin')

/** A branded, frozen definition: what registries take and packages export. */
export interface BackendPlugin extends Omit<BackendDefinition, 'create'> {
  readonly [brand]: true
  /** @throws VringError ERR_INVALID_PLUGIN that names the method, for what is no backend; ERR_INVALID_ARGUMENT for the argument */
  create(argument?: string | null): NetBackend | (NetBackend & FrameSource)
}

/**
 * Checks, brands and freezes a backend.
 *
 * @throws VringError ERR_INVALID_PLUGIN with the field that is missing or wrong
 */
export function defineBackend(definition: BackendDefinition): BackendPlugin {
  const { name, apiVersion, description, supports, argument } = definition
  if (typeof name !== 'string' || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw invalid(name, 'name', name, 'lower-case words joined by -')
  if (!Number.isInteger(apiVersion) || apiVersion < 1)
    throw invalid(name, 'apiVersion', apiVersion, 'a positive integer')
  if (typeof description !== 'string') throw invalid(name, 'description', description, 'a line of text')
  if (typeof definition.create !== 'function') throw invalid(name, 'create', typeof definition.create, 'a function')
  for (const key of SUPPORTS_KEYS)
    if (typeof supports?.[key] !== 'boolean') throw invalid(name, `supports.${key}`, supports?.[key], 'true or false')
  return Object.freeze({
    [brand]: true as const,
    name,
    apiVersion,
    description,
    supports: Object.freeze({ ...supports }),
    ...(argument === undefined ? {} : { argument }),
    create(given: string | null = null) {
      if (given !== null && argument === undefined)
        throw new VringError('ERR_INVALID_ARGUMENT', `${name}:${given}: accepted: ${name}, without more`, {
          field: name,
          value: given,
          accepted: name,
        })
      return checked(name, supports, definition.create(given))
    },
  })
}

const SUPPORTS_KEYS: readonly (keyof BackendSupports)[] = ['inPlace', 'xdp', 'privileged', 'receives']
const BACKEND_METHODS = ['transmit', 'flush', 'close'] as const
const SOURCE_METHODS = ['receive', 'consume'] as const

/** What `create` gave, once it is found whole: a round calls its methods unchecked. */
function checked(name: string, { receives }: BackendSupports, made: unknown): NetBackend {
  const wanted = [...BACKEND_METHODS, ...(receives ? SOURCE_METHODS : [])]
  if (made instanceof Promise || typeof (made as PromiseLike<unknown> | null)?.then === 'function')
    throw invalid(name, 'create()', 'a promise', 'a backend, at once; the module that exports the plugin may await')
  if (typeof made !== 'object' || made === null)
    throw invalid(name, 'create()', made === null ? 'null' : typeof made, `an object with ${wanted.join(', ')}`)
  const methods = made as Record<string, unknown>
  for (const method of wanted)
    if (typeof methods[method] !== 'function')
      throw invalid(name, `create().${method}`, typeof methods[method], 'a function')
  if (typeof methods['counters'] !== 'object' || methods['counters'] === null)
    throw invalid(name, 'create().counters', typeof methods['counters'], 'the counters of NetBackend')
  return made as NetBackend
}

function invalid(name: unknown, field: string, value: unknown, accepted: string): VringError {
  return new VringError(
    'ERR_INVALID_PLUGIN',
    `backend ${JSON.stringify(name) ?? String(name)}: ${field} is ${String(value)}; accepted: ${accepted}`,
    { field, value, accepted },
  )
}

/** True for the result of {@link defineBackend}, of any copy of this package. */
export function isBackendPlugin(value: unknown): value is BackendPlugin {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true
}
