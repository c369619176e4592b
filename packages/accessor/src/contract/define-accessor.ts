import { VringError } from '@vring/layout'
import type { Accessor, AccessorContext } from './accessor.ts'
import type { AccessorOption, AccessorOptions } from './accessor-options.ts'
import { ACCESSOR_SUPPORTS, type AccessorSupports } from './accessor-supports.ts'
import { resolveOptions } from './resolve-options.ts'

/**
 * The version of this contract that plugins name; a registry refuses another one. Version 2: windows are single accesses
 * over areas that say what the device does with them, and a lease in place of batch methods.
 */
export const ACCESSOR_API_VERSION = 2
/** What a plugin of the contract before this one has to change, in one line. */
export const ACCESSOR_API_CHANGE: string =
  'windows are single accesses over areas desc, driver and device, each with its access, and a lease replaces batch methods'

/** What a plugin author writes. */
export interface AccessorDefinition {
  /** Lower-case words joined by `-`. */
  readonly name: string
  /** {@link ACCESSOR_API_VERSION} it was written against. */
  readonly apiVersion: number
  /** One line for people. */
  readonly description: string
  /** With the default of every option; a value of an option may change some of it. */
  readonly supports: AccessorSupports
  readonly options?: readonly AccessorOption[]
  /** Called with every declared option resolved to one of its values. */
  create(context: AccessorContext, options: AccessorOptions): Accessor
}

const brand: unique symbol = Symbol.for('vring.accessor-plugin')

/** A branded, frozen definition: what registries take and packages export. */
export interface AccessorPlugin extends Required<AccessorDefinition> {
  readonly [brand]: true
}

/**
 * Brands and freezes an accessor definition.
 *
 * @throws VringError ERR_INVALID_PLUGIN with the field that is missing or wrong
 */
export function defineAccessor(definition: AccessorDefinition): AccessorPlugin {
  const { name, apiVersion, supports, create } = definition
  const invalid = (field: string, value: unknown, accepted: string): VringError =>
    new VringError(
      'ERR_INVALID_PLUGIN',
      `accessor ${JSON.stringify(name)}: ${field} is ${String(value)}; accepted: ${accepted}`,
      {
        field,
        value,
        accepted,
      },
    )
  if (typeof name !== 'string' || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw invalid('name', name, 'lower-case words joined by -')
  if (!Number.isInteger(apiVersion) || apiVersion < 1) throw invalid('apiVersion', apiVersion, 'a positive integer')
  if (typeof create !== 'function') throw invalid('create', typeof create, 'a function')
  for (const key of ACCESSOR_SUPPORTS)
    if (typeof supports?.[key] !== 'boolean') throw invalid(`supports.${key}`, supports?.[key], 'true or false')
  const options: readonly AccessorOption[] = Object.freeze([...(definition.options ?? [])])
  for (const option of options)
    for (const [value, changes] of Object.entries(option.supports ?? {})) {
      const others = option.values.filter((one) => one !== option.default)
      if (!others.includes(value)) throw invalid(`supports of option ${option.name}`, value, others.join(', '))
      for (const [key, given] of Object.entries(changes))
        if (!ACCESSOR_SUPPORTS.includes(key as keyof AccessorSupports) || typeof given !== 'boolean')
          throw invalid(
            `supports.${key} of ${option.name}=${value}`,
            given,
            `true or false, of ${ACCESSOR_SUPPORTS.join(', ')}`,
          )
    }
  return Object.freeze({
    [brand]: true as const,
    name,
    apiVersion,
    description: definition.description,
    supports: Object.freeze({ ...supports }),
    options,
    create: (context: AccessorContext, given: AccessorOptions) =>
      create.call(definition, context, resolveOptions(name, options, given)),
  })
}

/** True for the result of {@link defineAccessor}, of any copy of this package. */
export function isAccessorPlugin(value: unknown): value is AccessorPlugin {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true
}
