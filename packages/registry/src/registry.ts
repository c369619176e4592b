import type { AccessorPlugin } from '@vring/accessor'
import { VringError } from '@vring/layout'
import type { BackendPlugin } from '@vring/vhost-net'
import { nearestName } from './nearest-name.ts'
import { type Selection, type SelectionConditions, selectAccessor } from './selection.ts'

/** The parts that an application is composed of, by name. Immutable: {@link Registry.with} makes another one. */
export interface Registry {
  /** In order of preference. */
  readonly accessors: readonly AccessorPlugin[]
  readonly backends: readonly BackendPlugin[]
  /** @throws VringError ERR_UNKNOWN_NAME with what is accepted and the nearest name */
  accessor(name: string): AccessorPlugin
  /** @throws VringError ERR_UNKNOWN_NAME with what is accepted and the nearest name */
  backend(name: string): BackendPlugin
  /** Which accessor serves under these conditions. */
  select(conditions?: SelectionConditions): Selection
  /** This registry and more; new accessors come last in preference. */
  with(more: RegistryParts): Registry
  /**
   * This registry with these accessors only, in their old order.
   *
   * @throws VringError ERR_UNKNOWN_NAME
   */
  only(names: readonly string[]): Registry
}

export interface RegistryParts {
  readonly accessors?: readonly AccessorPlugin[]
  readonly backends?: readonly BackendPlugin[]
}

/**
 * A registry of exactly these parts.
 *
 * @throws VringError ERR_OVERLAP when two have one name
 */
export function composeRegistry({ accessors = [], backends = [] }: RegistryParts): Registry {
  const accessorByName = byName('accessor', accessors)
  const backendByName = byName('backend', backends)
  return Object.freeze({
    accessors,
    backends,
    accessor: (name: string) => find('accessor', accessorByName, name),
    backend: (name: string) => find('backend', backendByName, name),
    select(conditions: SelectionConditions = {}) {
      if (conditions.force !== undefined) find('accessor', accessorByName, conditions.force)
      return selectAccessor(accessors, conditions)
    },
    only(names: readonly string[]) {
      for (const name of names) find('accessor', accessorByName, name)
      return composeRegistry({ accessors: accessors.filter(({ name }) => names.includes(name)), backends })
    },
    with: (more: RegistryParts) =>
      composeRegistry({
        accessors: [...accessors, ...(more.accessors ?? [])],
        backends: [...backends, ...(more.backends ?? [])],
      }),
  })
}

function byName<T extends { readonly name: string }>(kind: string, parts: readonly T[]): ReadonlyMap<string, T> {
  const map = new Map<string, T>()
  for (const part of parts) {
    if (map.has(part.name))
      throw new VringError('ERR_OVERLAP', `two ${kind}s are named ${part.name}`, { field: kind, value: part.name })
    map.set(part.name, part)
  }
  return map
}

function find<T>(kind: string, parts: ReadonlyMap<string, T>, name: string): T {
  const part = parts.get(name)
  if (part !== undefined) return part
  throw unknownName(kind, name, [...parts.keys()])
}

/** ERR_UNKNOWN_NAME for `name`, with what is accepted and, where one is near, the name that was probably meant. */
export function unknownName(kind: string, name: string, names: readonly string[]): VringError {
  const accepted = names.length === 0 ? 'none' : names.join(', ')
  const nearest = nearestName(name, names)
  const hint = nearest === null ? '' : `; did you mean ${nearest}?`
  return new VringError(
    'ERR_UNKNOWN_NAME',
    `${kind} ${JSON.stringify(name)} is unknown; accepted: ${accepted}${hint}`,
    {
      field: kind,
      value: name,
      accepted,
    },
  )
}
