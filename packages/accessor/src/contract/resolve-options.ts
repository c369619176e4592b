import { VringError } from '@vring/layout'
import type { AccessorOption, AccessorOptions } from './accessor-options.ts'

/**
 * The value of every declared option: what was given, else its default.
 *
 * @throws VringError ERR_UNKNOWN_NAME for an option that is not declared, ERR_INVALID_ARGUMENT for a value that is not
 * among its values
 */
export function resolveOptions(
  accessor: string,
  declared: readonly AccessorOption[],
  given: AccessorOptions,
): AccessorOptions {
  const resolved: Record<string, string> = Object.fromEntries(declared.map((option) => [option.name, option.default]))
  for (const [name, value] of Object.entries(given)) {
    const option = declared.find((candidate) => candidate.name === name)
    const names = declared.map((candidate) => candidate.name).join(', ') || 'no options'
    if (option === undefined) throw invalid('ERR_UNKNOWN_NAME', accessor, `option ${name}`, value, names)
    if (!option.values.includes(value))
      throw invalid('ERR_INVALID_ARGUMENT', accessor, name, value, option.values.join(', '))
    resolved[name] = value
  }
  return resolved
}

function invalid(
  code: 'ERR_UNKNOWN_NAME' | 'ERR_INVALID_ARGUMENT',
  accessor: string,
  field: string,
  value: string,
  accepted: string,
): VringError {
  return new VringError(code, `accessor ${accessor}: ${field} is ${JSON.stringify(value)}; accepted: ${accepted}`, {
    field,
    value,
    accepted,
  })
}
