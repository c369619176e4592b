import { statSync } from 'node:fs'
import { join, parse } from 'node:path'
import { ROTATE_BYTES_MIN, SNAP_BYTES_DEFAULT } from '@vring/backend-pcap'
import { nearestName } from '@vring/registry'
import { usageError } from '../serve-error.ts'

/** A capture, as `--capture` and `pcap:` describe it. */
export interface CaptureSpec {
  /** A file, or a FIFO that a program reads along. */
  readonly path: string
  /** The path that it was asked for by, see {@link captureFiles}. */
  readonly given: string
  /** Queue pair; null: all. */
  readonly pair: number | null
  /** `tx` from the driver, `rx` to it; null: both. */
  readonly direction: 'tx' | 'rx' | null
  /** Bytes of a frame that are kept at most. */
  readonly snapBytes: number
  /** Begin another file before one exceeds this many bytes, or null. */
  readonly rotateBytes: number | null
  /** Files that are kept, or null: all. */
  readonly files: number | null
  readonly overwrite: boolean
}

/** How it is written. */
export const CAPTURE_FORM = 'FILE[,OPTION...]'
/** Its options, as people write them. */
export const CAPTURE_OPTIONS = ['pair=N', 'dir=rx|tx', 'snaplen=BYTES', 'rotate=SIZE', 'files=N', 'overwrite'] as const

const OPTION_NAMES = CAPTURE_OPTIONS.map((option) => option.replace(/=.*/, ''))
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
const FILES_MAX = 100_000
const PAIR_MAX = 127

/**
 * Reads `trace.pcapng,pair=0,dir=rx,snaplen=96,rotate=64M,files=8,overwrite`. A path may hold commas as long as what follows
 * each of them is no option.
 *
 * @param argument for messages
 * @throws ServeError with exit code 2: what is accepted, and the nearest name
 */
export function parseCapture(argument: string, text: string): CaptureSpec {
  const parts = text.split(',')
  const options: string[] = []
  while (parts.length > 1 && /^[a-z]+(=[^/]*)?$/.test(parts.at(-1)!)) options.unshift(parts.pop()!)
  const path = parts.join(',')
  const refuse = (problem: string): Error => usageError(argument, `${JSON.stringify(text)} ${problem}`)
  if (path === '') throw refuse(`names no file; accepted: ${CAPTURE_FORM} with ${CAPTURE_OPTIONS.join(', ')}`)
  const spec = { path, given: path, ...DEFAULTS }
  for (const option of options) {
    const equals = option.indexOf('=')
    const name = equals < 0 ? option : option.slice(0, equals)
    const value = equals < 0 ? null : option.slice(equals + 1)
    const accept = (accepted: string): Error => refuse(`has an unusable ${name}; accepted: ${accepted}`)
    switch (name) {
      case 'pair':
        spec.pair = number(value, 0, PAIR_MAX, accept)
        break
      case 'dir':
        if (value !== 'rx' && value !== 'tx') throw accept('dir=rx, dir=tx')
        spec.direction = value
        break
      case 'snaplen':
        spec.snapBytes = number(value, 1, SNAP_BYTES_DEFAULT, accept)
        break
      case 'rotate':
        spec.rotateBytes = size(value, accept)
        break
      case 'files':
        spec.files = number(value, 1, FILES_MAX, accept)
        break
      case 'overwrite':
        if (value !== null) throw accept('overwrite, without a value')
        spec.overwrite = true
        break
      default: {
        const near = nearestName(name, OPTION_NAMES)
        const hint = near === null ? '' : `; did you mean ${near}?`
        throw refuse(`has an unknown option ${name}; accepted: ${OPTION_NAMES.join(', ')}${hint}`)
      }
    }
  }
  if (spec.files !== null && spec.rotateBytes === null) throw refuse('has files without rotate; accepted: both')
  return spec
}

/**
 * Whether a device has what a capture asks for.
 *
 * @throws ServeError with exit code 2
 */
export function checkCapture(
  argument: string,
  { pair }: CaptureSpec,
  { queuePairs }: { readonly queuePairs: number },
): void {
  if (pair !== null && pair >= queuePairs)
    throw usageError(argument, `pair=${pair} is not served; accepted: 0 to ${queuePairs - 1}`)
}

/**
 * The files of a capture. A file is written by one thread: of all pairs of several threads there is one for each pair,
 * `trace_pair0.pcapng` and so on, which mergecap puts together.
 *
 * @throws ServeError with exit code 2: a FIFO, of which there is one
 */
export function captureFiles(argument: string, spec: CaptureSpec, queuePairs: number, threads: number): CaptureSpec[] {
  if (threads === 1 || spec.pair !== null) return [spec]
  if (statSync(spec.path, { throwIfNoEntry: false })?.isFIFO() === true)
    throw usageError(
      argument,
      `${spec.path} is a FIFO, and ${threads} threads serve all pairs; accepted: pair=N, or a file`,
    )
  const { dir, name, ext } = parse(spec.path)
  return Array.from({ length: queuePairs }, (_, pair) => ({
    ...spec,
    pair,
    path: join(dir, `${name}_pair${pair}${ext}`),
  }))
}

const DEFAULTS: { -readonly [Name in keyof Omit<CaptureSpec, 'path' | 'given'>]: CaptureSpec[Name] } = {
  pair: null,
  direction: null,
  snapBytes: SNAP_BYTES_DEFAULT,
  rotateBytes: null,
  files: null,
  overwrite: false,
}

function number(value: string | null, least: number, most: number, refuse: (accepted: string) => Error): number {
  const parsed = Number(value)
  if (value === null || !/^\d+$/.test(value) || parsed < least || parsed > most) throw refuse(`${least} to ${most}`)
  return parsed
}

/** `64M`: powers of 1024. */
function size(value: string | null, refuse: (accepted: string) => Error): number {
  const match = /^(\d{1,15})([KMG]?)$/.exec(value ?? '')
  const bytes = match === null ? 0 : Number(match[1]) * UNITS[match[2]!]!
  if (bytes < ROTATE_BYTES_MIN || !Number.isSafeInteger(bytes)) throw refuse('bytes from 1M on, as 64M or 1G')
  return bytes
}
