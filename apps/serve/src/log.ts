/** From what ends the daemon to what only its authors want to see. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export const LOG_FORMATS = ['text', 'json'] as const

export interface LogConfig {
  /** The least important that is said. */
  readonly level: LogLevel
  readonly format: (typeof LOG_FORMATS)[number]
}

/** Takes one line for people; `info` unless it says otherwise. */
export type Log = (line: string, level?: LogLevel) => void

/**
 * A log of one line an entry: text, or JSON with `time`, `level` and `message`.
 *
 * @param write takes whole lines
 */
export function createLog(
  { level: least, format }: LogConfig,
  write: (text: string) => void,
  now = () => new Date(),
): Log {
  return (line, level = 'info') => {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(least)) return
    if (format === 'json') write(`${JSON.stringify({ time: now().toISOString(), level, message: line })}\n`)
    else write(`vring-serve: ${level === 'info' ? '' : `${level}: `}${line}\n`)
  }
}

/** The log of a device of several: its name comes first. */
export function logOf(log: Log, device: string): Log {
  return device === '' ? log : (line, level) => log(`${device}: ${line}`, level)
}
