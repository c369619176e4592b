/**
 * 64-bit arithmetic on two signed 32-bit halves, for the operations that are too long to inline: the interpreter and
 * compiled programs call the same functions. Each returns the low half and leaves the high half in `high[0]`, so that
 * nothing is allocated.
 */
export const high: Int32Array = new Int32Array(1)

/** @returns low half; `high[0]` gets the high half */
function pair(low: number, highHalf: number): number {
  high[0] = highHalf
  return low | 0
}

/** High 32 bits of the unsigned product of two 32-bit numbers, from four 16-bit products. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  // Each sum stays below 2^32: (2^16 - 1)^2 + 2 * (2^16 - 1) < 2^32.
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) | 0
}

/** a * b, modulo 2^64. */
export function multiply(a: number, aHigh: number, b: number, bHigh: number): number {
  return pair(Math.imul(a, b), multiplyHigh(a, b) + Math.imul(aHigh, b) + Math.imul(a, bHigh))
}

/** a << n, n taken modulo 64. */
export function shiftLeft(a: number, aHigh: number, n: number): number {
  const by = n & 63
  if (by === 0) return pair(a, aHigh)
  if (by >= 32) return pair(0, a << (by - 32))
  return pair(a << by, (aHigh << by) | (a >>> (32 - by)))
}

/** a >> n with zeros, n taken modulo 64. */
export function shiftRight(a: number, aHigh: number, n: number): number {
  const by = n & 63
  if (by === 0) return pair(a, aHigh)
  if (by >= 32) return pair(aHigh >>> (by - 32), 0)
  return pair((a >>> by) | (aHigh << (32 - by)), aHigh >>> by)
}

/** a >> n with copies of the sign, n taken modulo 64. */
export function shiftRightSigned(a: number, aHigh: number, n: number): number {
  const by = n & 63
  if (by === 0) return pair(a, aHigh)
  if (by >= 32) return pair(aHigh >> (by - 32), aHigh >> 31)
  return pair((a >>> by) | (aHigh << (32 - by)), aHigh >> by)
}

// Quotient and remainder of the last divide(): low and high halves, unsigned.
let quotient = 0
let quotientHigh = 0
let remainder = 0
let remainderHigh = 0

/** Unsigned division with a divisor that is not zero. */
function divide(a: number, aHigh: number, b: number, bHigh: number): void {
  if (bHigh === 0) divideByWord(a >>> 0, aHigh >>> 0, b >>> 0)
  else divideByLong(a, aHigh, b, bHigh)
}

/** Long division by a 32-bit divisor, a 16-bit digit at a time: the running value stays below 2^48, exact in a double. */
function divideByWord(low: number, highHalf: number, divisor: number): void {
  quotientHigh = Math.floor(highHalf / divisor)
  let rest = highHalf - quotientHigh * divisor
  rest = rest * 0x10000 + (low >>> 16)
  const upper = Math.floor(rest / divisor)
  rest = (rest - upper * divisor) * 0x10000 + (low & 0xffff)
  const lower = Math.floor(rest / divisor)
  quotient = upper * 0x10000 + lower
  remainder = rest - lower * divisor
  remainderHigh = 0
}

/** Shift and subtract by a divisor of 2^32 or more: the quotient has at most 32 bits, the rest never more than 64. */
function divideByLong(a: number, aHigh: number, b: number, bHigh: number): void {
  const divisor = b >>> 0
  const divisorHigh = bHigh >>> 0
  let rest = aHigh >>> 0
  let restHigh = 0
  let bits = 0
  for (let bit = 31; bit >= 0; bit--) {
    restHigh = ((restHigh << 1) | (rest >>> 31)) >>> 0
    rest = ((rest << 1) | ((a >>> bit) & 1)) >>> 0
    if (restHigh < divisorHigh || (restHigh === divisorHigh && rest < divisor)) continue
    const borrow = rest < divisor ? 1 : 0
    rest = (rest - divisor) >>> 0
    restHigh = (restHigh - divisorHigh - borrow) >>> 0
    bits |= 1 << bit
  }
  quotient = bits
  quotientHigh = 0
  remainder = rest
  remainderHigh = restHigh
}

/** a / b, unsigned; 0 if b is 0 (RFC 9669 section 4.1). */
export function divideUnsigned(a: number, aHigh: number, b: number, bHigh: number): number {
  if ((b | bHigh) === 0) return pair(0, 0)
  divide(a, aHigh, b, bHigh)
  return pair(quotient, quotientHigh)
}

/** a % b, unsigned; a if b is 0. */
export function moduloUnsigned(a: number, aHigh: number, b: number, bHigh: number): number {
  if ((b | bHigh) === 0) return pair(a, aHigh)
  divide(a, aHigh, b, bHigh)
  return pair(remainder, remainderHigh)
}

/** Divides magnitudes: |a| by |b|. The magnitude of -2^63 is 2^63, right as an unsigned number. */
function divideMagnitudes(a: number, aHigh: number, b: number, bHigh: number): void {
  const dividendHigh = aHigh < 0 ? ~aHigh + (a === 0 ? 1 : 0) : aHigh
  const divisorHigh = bHigh < 0 ? ~bHigh + (b === 0 ? 1 : 0) : bHigh
  divide(aHigh < 0 ? -a | 0 : a, dividendHigh | 0, bHigh < 0 ? -b | 0 : b, divisorHigh | 0)
}

function negateIf(negative: boolean, low: number, highHalf: number): number {
  const word = low | 0
  return negative ? pair(-word, ~highHalf + (word === 0 ? 1 : 0)) : pair(word, highHalf)
}

/** a / b, signed, towards zero; 0 if b is 0; -2^63 / -1 is -2^63. */
export function divideSigned(a: number, aHigh: number, b: number, bHigh: number): number {
  if ((b | bHigh) === 0) return pair(0, 0)
  divideMagnitudes(a, aHigh, b, bHigh)
  return negateIf(aHigh < 0 !== bHigh < 0, quotient, quotientHigh)
}

/** a % b with the sign of a; a if b is 0; -2^63 % -1 is 0. */
export function moduloSigned(a: number, aHigh: number, b: number, bHigh: number): number {
  if ((b | bHigh) === 0) return pair(a, aHigh)
  divideMagnitudes(a, aHigh, b, bHigh)
  return negateIf(aHigh < 0, remainder, remainderHigh)
}

/** The bytes of a word in the other order. */
export function swapWord(a: number): number {
  return ((a & 0xff) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24)
}
