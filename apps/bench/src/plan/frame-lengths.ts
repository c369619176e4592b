import { usageError } from '../bench-error.ts'
import { SWEEP_KEYS } from './sweep-keys.ts'

/**
 * One item of a list of frame lengths: bytes, or `imix`, which a cell has as 0.
 *
 * @param argument as the user wrote it: `--frame-bytes`
 * @throws BenchError with exit code 2
 */
export function frameLengthOf(argument: string, text: string): number {
  if (text === 'imix') return 0
  const { least, most } = SWEEP_KEYS['frame-bytes']
  const bytes = Number(text)
  if (!/^\d+$/.test(text) || bytes < least || bytes > most)
    throw usageError(argument, `${JSON.stringify(text)} is not accepted; accepted: ${least} to ${most} bytes, or imix`)
  return bytes
}
