/** A value of a shared variable in a few characters. */
export function describeValue(value: unknown): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return `[${value.map(describeValue).join(' ')}]`
  if (typeof value === 'function') return 'set'
  if (typeof value !== 'object' || value === null) return String(value)
  if ('start' in value && 'end' in value) return `${hex(value.start)}-${hex(value.end)}`
  if ('map' in value) return describeValue(value.map)
  if ('mapping' in value) return describeValue(value.mapping)
  return 'name' in value ? String(value.name) : ''
}

function hex(value: unknown): string {
  return typeof value === 'number' ? value.toString(16) : String(value)
}
