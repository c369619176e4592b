/** Conversions that trace_printk knows; `%s` would need memory that was not checked. */
const CONVERSION = /%(?:%|(ll|l)?([dioux])|(p)|(.)|$)/gs

/**
 * Formats a trace_printk line: up to three numbers as %d, %i, %u, %o, %x, with `l` or `ll` in 64 bits, or %p.
 *
 * @param format bytes up to the first NUL, or all
 * @param halves low and high half of each number
 * @returns the line, or null: an unknown conversion, or more than three
 */
export function formatTrace(format: Uint8Array, halves: readonly number[]): string | null {
  const end = format.indexOf(0)
  const text = String.fromCharCode(...(end < 0 ? format : format.subarray(0, end)))
  let next = 0
  let valid = true
  const line = text.replace(CONVERSION, (whole, long?: string, conversion?: string, pointer?: string) => {
    if (whole === '%%') return '%'
    if ((conversion === undefined && pointer === undefined) || next + 1 >= halves.length) {
      valid = false
      return ''
    }
    const low = halves[next]!
    const top = halves[next + 1]!
    next += 2
    const bits = long === undefined && pointer === undefined ? 32 : 64
    const value = (BigInt(top >>> 0) << 32n) | BigInt(low >>> 0)
    if (conversion === 'd' || conversion === 'i') return BigInt.asIntN(bits, value).toString()
    const radix = conversion === 'u' ? 10 : conversion === 'o' ? 8 : 16
    return BigInt.asUintN(bits, value).toString(radix)
  })
  return valid ? line : null
}
