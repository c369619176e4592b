import { refused, VringError } from '@vring/layout'
import { type Registry, unknownName } from './registry.ts'

/** An accessor by name, with its options as text. */
export interface AccessorSpec {
  readonly name: string
  readonly options: Readonly<Record<string, string>>
}

/**
 * Reads `name[:option=value]...` and checks it against what the accessor declares.
 *
 * @param others names that are accepted beside accessors, without options
 * @throws VringError ERR_UNKNOWN_NAME for a name, an option or a value, with what is accepted and the nearest.
 * ERR_INVALID_ARGUMENT for a setting that is none, or is given twice
 */
export function parseAccessor(text: string, registry: Registry, others: readonly string[] = []): AccessorSpec {
  const [name = '', ...settings] = text.split(':')
  if (others.includes(name) && settings.length === 0) return { name, options: {} }
  const names = registry.accessors.map((accessor) => accessor.name)
  if (!names.includes(name)) throw unknownName('accessor', name, [...names, ...others])
  const { options: declared } = registry.accessor(name)
  const options: Record<string, string> = Object.create(null)
  for (const setting of settings) {
    const equals = setting.indexOf('=')
    if (equals < 1) throw refused('ERR_INVALID_ARGUMENT', `setting of ${name}`, setting, 'option=value')
    const key = setting.slice(0, equals)
    const value = setting.slice(equals + 1)
    if (Object.hasOwn(options, key))
      throw new VringError('ERR_INVALID_ARGUMENT', `${key} in ${text} is given twice`, { field: key, value: text })
    const option = declared.find((one) => one.name === key)
    if (option === undefined)
      throw unknownName(
        `option of ${name}`,
        key,
        declared.map((one) => one.name),
      )
    if (!option.values.includes(value)) throw unknownName(`${name}:${key}`, value, option.values)
    options[key] = value
  }
  return { name, options }
}

/** As {@link parseAccessor} reads it. */
export function formatAccessor({ name, options }: AccessorSpec): string {
  return [name, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(':')
}
