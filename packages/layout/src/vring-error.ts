const brand: unique symbol = Symbol.for('vring.error')

/** Stable codes of control-plane errors. Messages may change between releases; codes do not. */
export type VringErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_MISALIGNED'
  | 'ERR_OVERLAP'
  | 'ERR_UNKNOWN_NAME'
  | 'ERR_INVALID_PLUGIN'
  | 'ERR_UNSUPPORTED'
  | 'ERR_INVALID_STATE'
  | 'ERR_CLOSED'
  | 'ERR_NOTIFIER'
  | 'ERR_PROTOCOL'
  | 'ERR_SYSTEM'
  | 'ERR_MISSING_PEER'
  /** Code that promised not to throw did: `cause` is what it threw. */
  | 'ERR_INTERNAL'

/** What a {@link VringError} says beside its message. */
export interface VringErrorDetails {
  /** The argument, option or message field that was refused. */
  readonly field?: string
  /** The value that was refused. */
  readonly value?: unknown
  /** What would have been accepted, for people: `'a power of two from 1 to 32768'`. */
  readonly accepted?: string
  readonly cause?: unknown
}

/**
 * The error of the control plane: names the field, the value and the accepted range. The data plane never throws; it
 * returns a negative errno.
 */
export class VringError extends Error {
  override readonly name: string = 'VringError'
  readonly code: VringErrorCode
  readonly field: string | undefined
  readonly value: unknown
  readonly accepted: string | undefined
  /** Brand that survives two copies of this package in one process. */
  readonly [brand]: true = true

  constructor(code: VringErrorCode, message: string, details: VringErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.field = details.field
    this.value = details.value
    this.accepted = details.accepted
  }
}

/** True for a {@link VringError} of any copy of this package. */
export function isVringError(value: unknown): value is VringError {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true
}

/**
 * A {@link VringError} for a field out of its accepted range, with the usual wording. The value is shown in the base that
 * `accepted` has: hexadecimal beside `0x...`, else decimal.
 */
export function refused(code: VringErrorCode, field: string, value: unknown, accepted: string): VringError {
  return new VringError(code, `${field} is ${shown(value, /\b0x/.test(accepted))}; accepted: ${accepted}`, {
    field,
    value,
    accepted,
  })
}

/**
 * Checks that an object which a caller made has these methods: when it is handed over, not when it is first used.
 *
 * @param accepted what it is to be, for the message
 * @throws VringError ERR_INVALID_ARGUMENT
 */
export function checkMethods(field: string, value: unknown, accepted: string, methods: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw refused('ERR_INVALID_ARGUMENT', field, value, accepted)
  for (const method of methods) {
    const type = typeof (value as Record<string, unknown>)[method]
    if (type !== 'function') throw refused('ERR_INVALID_ARGUMENT', `${field}.${method}`, type, 'a function')
  }
}

function shown(value: unknown, hexadecimal: boolean): string {
  const whole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
  return hexadecimal && whole && value >= 0 ? `0x${value.toString(16)}` : String(value)
}
