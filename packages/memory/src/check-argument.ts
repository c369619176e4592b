import { refused } from '@vring/layout'

/**
 * What a caller's types say and JavaScript does not hold it to.
 *
 * @throws VringError ERR_INVALID_ARGUMENT unless `value` is an object
 */
export function checkObject(field: string, value: unknown, accepted: string): void {
  if (typeof value !== 'object' || value === null) throw refused('ERR_INVALID_ARGUMENT', field, value, accepted)
}

/** @throws VringError ERR_INVALID_ARGUMENT unless `value` is true or false */
export function checkBoolean(field: string, value: unknown): void {
  if (typeof value !== 'boolean') throw refused('ERR_INVALID_ARGUMENT', field, value, 'true or false')
}

/** @throws VringError ERR_INVALID_ARGUMENT unless `value` is an array of objects */
export function checkObjects(field: string, value: unknown): void {
  if (!Array.isArray(value)) throw refused('ERR_INVALID_ARGUMENT', field, value, 'an array')
  for (const [index, item] of value.entries()) checkObject(`${field}[${index}]`, item, 'an object')
}

/** Is [address, address + length) at least one byte, and below `limit`? False for what is no number, too. */
export function isRange(address: unknown, length: unknown, limit: number): boolean {
  if (!isCount(address) || !isCount(length)) return false
  return length > 0 && length <= limit - address
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
