/**
 * Takes what code threw that promised not to: an error that is no `VringError`, of a device or of this package. The session
 * that it belongs to goes on or ends by itself; a handler only tells.
 */
export type FaultHandler = (error: unknown) => void

/** The default: one line on standard error, with class, message and the place it was thrown at. */
export function reportFault(error: unknown): void {
  console.error(`vring: ${describeFault(error)}`)
}

/** The default of notes: a line on standard error. */
export function reportNote(line: string): void {
  console.error(`vring: ${line}`)
}

/** What people are told of a ring that broke. */
export function brokenLine(index: number, reason: string): string {
  return `queue ${index} is broken: ${reason}; its driver has to reset it`
}

/** `TypeError: x is not a function, at Device.startQueue (device.js:3:7)` */
export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}: ${oneLine(String(error))}`
  const place = error.stack?.split('\n').find((line) => /^\s+at /.test(line))
  return oneLine(`${error.name}: ${error.message}${place === undefined ? '' : `, ${place.trim()}`}`)
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
