/** What a pointer leads to: readable bytes from there on, or null where it leads nowhere. */
export type ReadMemory = (low: number, high: number) => Uint8Array | null

/**
 * `%%`; or `%`, flags, a width without a leading zero, and a conversion. Whatever else follows `%` is refused. After `%p`
 * and `%s`, but for their longer forms, nothing that could be part of a name may follow.
 */
const CONVERSION =
  /%(?:(%)|([-+ 0]*)([1-9]\d*)?(?:(?:ll|l)?[diuxX]|c|p[iI][46]|p[KxsSB]|p[ku]s(?![^\s\0!-/:-@[-`{-~])|[ps](?![^\s\0!-/:-@[-`{-~]))|)/g
/** Characters that a format may have. */
const PRINTABLE = /^[\t-\r\x20-\x7e]*$/
const POINTER_DIGITS = 16
const ADDRESS_BYTES = { '4': 4, '6': 16 } as const

/**
 * Formats a line of trace_printk or trace_vprintk. It knows `%d`, `%i`, `%u`, `%x`, `%X` with `l` or `ll`, `%c`, `%s`
 * and `%p`, each with flags and width. Of `%p` it knows the forms of addresses, strings and symbols, which have no
 * names here. Source: Linux kernel/bpf/helpers.c, bpf_bprintf_prepare, and lib/vsprintf.c.
 *
 * @param format ends with NUL
 * @param halves low and high half of each number
 * @param read what `%s` and addresses read; a string that leads nowhere is empty, an address zero
 * @returns the line, or null: no NUL, a character or a conversion that is not known, or more of them than numbers
 */
export function formatTrace(format: Uint8Array, halves: readonly number[], read: ReadMemory): string | null {
  const end = format.indexOf(0)
  if (end < 0) return null
  const text = String.fromCharCode(...format.subarray(0, end))
  if (!PRINTABLE.test(text)) return null
  let next = 0
  let valid = true
  const line = text.replace(CONVERSION, (whole, percent?: string, flags?: string, width?: string) => {
    if (percent !== undefined) return '%'
    if (whole === '%' || next + 1 >= halves.length) {
      valid = false
      return ''
    }
    const conversion = whole.slice(1 + flags!.length + (width ?? '').length)
    const written = convert(conversion, flags!, halves[next]!, halves[next + 1]!, read)
    next += 2
    return padded(written, flags!, Number(width ?? 0), /[diuxX]$/.test(conversion))
  })
  return valid ? line : null
}

function convert(conversion: string, flags: string, low: number, high: number, read: ReadMemory): string {
  if (conversion === 'c') return String.fromCharCode(low & 0xff)
  if (conversion === 's' || conversion === 'pks' || conversion === 'pus') return stringAt(read(low, high))
  if (conversion[1] === 'i' || conversion[1] === 'I') return addressText(conversion, read(low, high))
  const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
  if (conversion[0] === 'p') {
    const digits = value.toString(16)
    return /[sSB]$/.test(conversion) ? `0x${digits}` : digits.padStart(POINTER_DIGITS, '0')
  }
  const bits = conversion[0] === 'l' ? 64 : 32
  const unsigned = BigInt.asUintN(bits, value)
  switch (conversion[conversion.length - 1]) {
    case 'u':
      return unsigned.toString()
    case 'x':
      return unsigned.toString(16)
    case 'X':
      return unsigned.toString(16).toUpperCase()
    default: {
      const signed = BigInt.asIntN(bits, value)
      return `${signed < 0n ? '' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''}${signed}`
    }
  }
}

function padded(text: string, flags: string, width: number, isNumber: boolean): string {
  if (flags.includes('-')) return text.padEnd(width)
  if (!isNumber || !flags.includes('0')) return text.padStart(width)
  const sign = /^[-+ ]/.exec(text)?.[0] ?? ''
  return sign + text.slice(sign.length).padStart(width - sign.length, '0')
}

function stringAt(bytes: Uint8Array | null): string {
  if (bytes === null) return ''
  const end = bytes.indexOf(0)
  return end < 0 ? '' : String.fromCharCode(...bytes.subarray(0, end))
}

/** `%pI4` 192.0.2.1, `%pi4` 192.000.002.001, `%pI6` in groups with colons, `%pi6` without. */
function addressText(conversion: string, bytes: Uint8Array | null): string {
  const length = ADDRESS_BYTES[conversion[2] as '4' | '6']
  const address = bytes !== null && bytes.length >= length ? bytes.subarray(0, length) : new Uint8Array(length)
  if (length === 4) {
    const digits = conversion[1] === 'i' ? 3 : 1
    return Array.from(address, (byte) => String(byte).padStart(digits, '0')).join('.')
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((address[2 * i]! << 8) | address[2 * i + 1]!).toString(16).padStart(4, '0'),
  )
  return groups.join(conversion[1] === 'I' ? ':' : '')
}
