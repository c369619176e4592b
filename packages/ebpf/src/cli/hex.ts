import { refused } from '@vring/layout'

/** Digits that may be bytes, with spaces between them. */
export function isHex(text: string): boolean {
  return /^[\da-fA-F\s]*$/.test(text)
}

/** Bytes of hex digits; spaces between them do not count. @throws VringError naming what it is */
export function hexBytes(text: string, what: string): Uint8Array {
  const digits = text.replace(/\s+|0x/g, '')
  if (!isHex(digits) || digits.length % 2 !== 0)
    throw refused('ERR_INVALID_ARGUMENT', what, 'no text of whole bytes', 'two hex digits for each byte')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}
