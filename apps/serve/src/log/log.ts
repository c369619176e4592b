/** From what ends the daemon to what only its authors want to see. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export const LOG_FORMATS = ['text', 'json'] as const

export interface LogConfig {
  /** The least important that is said. */
  readonly level: LogLevel
  readonly format: (typeof LOG_FORMATS)[number]
}

/** Takes one line for people; `info` unless it says otherwise. `device`: whom it is about, of several; the line names it. */
export type Log = (line: string, level?: LogLevel, device?: string) => void

/** A line of a log, with what counts others like it. */
export interface LogLine {
  /** Whole, with its end. */
  readonly text: string
  /** Lines of one source share what may be kept of them: no source pushes out lines of another. */
  readonly source: string
  /** What lines of the source have in common that say the same; null: nothing is worth to tell them apart. */
  readonly kind: string | null
  /** One line in place of so many of its kind, or of any kind, of which this is the last. */
  readonly counted: (count: number, what: 'kind' | 'any') => string
}

/** Of a line, what is looked at to find its kind. */
const KIND_LENGTH = 500
/** What drivers choose in the lines about them. */
const NUMBERS = /0x[\da-f]+|\d+/g

/**
 * A log of one line an entry: text, or JSON with `time`, `level` and `message`.
 *
 * @param write takes whole lines
 */
export function createLog(
  { level: least, format }: LogConfig,
  write: (line: LogLine) => void,
  now = () => new Date(),
): Log {
  return (line, level = 'info', device = '') => {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(least)) return
    const formatted = (message: string): string =>
      format === 'json'
        ? `${JSON.stringify({ time: now().toISOString(), level, message })}\n`
        : `vring-serve: ${level === 'info' ? '' : `${level}: `}${message}\n`
    write({
      text: formatted(line),
      source: `${level} ${device}`,
      // Programs print what they like, for every frame.
      kind: level === 'debug' ? null : line.slice(0, KIND_LENGTH).replace(NUMBERS, '0'),
      counted: (count, what) =>
        formatted(`${count} ${what === 'kind' ? 'lines like this' : 'other lines'} were left out, the last: ${line}`),
    })
  }
}

/** The log of a device of several: its name comes first. */
export function logOf(log: Log, device: string): Log {
  return device === '' ? log : (line, level) => log(`${device}: ${line}`, level, device)
}
