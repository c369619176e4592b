import { nearestName } from '@vring/registry'
import { usageError } from '../serve-error.ts'
import { type CaptureSpec, parseCapture } from './capture-spec.ts'

/** Where the frames of the driver go to and come from, as `--backend` names it. */
export type BackendSpec =
  | { readonly kind: 'drop' }
  | { readonly kind: 'loopback' }
  | { readonly kind: 'tap'; readonly name: string }
  | { readonly kind: 'af-xdp'; readonly interface: string; readonly queue: number }
  | { readonly kind: 'pcap'; readonly capture: CaptureSpec }
  | { readonly kind: 'replay'; readonly path: string }
  /** A backend of `--plugin`. */
  | { readonly kind: 'plugin'; readonly name: string; readonly argument: string | null }

type BuiltIn = Exclude<BackendSpec['kind'], 'plugin'>

/** How `--backend` names each kind. */
export const FORMS: Readonly<Record<BuiltIn, string>> = {
  drop: 'drop',
  loopback: 'loopback',
  tap: 'tap:NAME',
  'af-xdp': 'af-xdp:INTERFACE[:QUEUE]',
  pcap: 'pcap:FILE[,OPTION...]',
  replay: 'replay:FILE',
}
/** All of them. */
export const BACKEND_FORMS: readonly string[] = Object.values(FORMS)
const ACCEPTED = BACKEND_FORMS.join(', ')

/** Options that only some of them take. */
export const OPTIONS_OF_BACKENDS: Readonly<
  Record<'xdp' | 'mtu' | 'fix-offloads' | 'pace' | 'loop' | 'max-gap', readonly BuiltIn[]>
> = {
  xdp: ['drop', 'tap'],
  mtu: ['tap'],
  'fix-offloads': ['af-xdp'],
  pace: ['replay'],
  loop: ['replay'],
  'max-gap': ['replay'],
}

/** Linux accepts 1 to 15 bytes without `/` and white space as the name of an interface. */
const INTERFACE = /^[^\s/:]{1,15}$/

/**
 * Reads `tap:vring0`, `af-xdp:eth0:3`, `pcap:file.pcapng`, `replay:file.pcapng`, `drop`, `loopback`.
 *
 * @param plugins names of backends that `--plugin` loaded: `NAME`, or `NAME:TEXT` with what its `create` is given
 * @throws ServeError with exit code 2: what is accepted, and the nearest name
 */
export function parseBackend(text: string, plugins: readonly string[] = []): BackendSpec {
  const colon = text.indexOf(':')
  const kind = colon < 0 ? text : text.slice(0, colon)
  const rest = colon < 0 ? null : text.slice(colon + 1)
  const refuse = (problem: string): Error => usageError('--backend', `${JSON.stringify(text)} ${problem}`)
  switch (kind) {
    case 'drop':
    case 'loopback':
      if (rest !== null) throw refuse(`takes nothing after its name; accepted: ${FORMS[kind]}`)
      return { kind }
    case 'tap':
      if (rest === null || !INTERFACE.test(rest))
        throw refuse(`names no interface; accepted: ${FORMS.tap}, 1 to 15 characters`)
      return { kind, name: rest }
    case 'pcap':
      if (rest === null || rest === '') throw refuse(`names no file; accepted: ${FORMS[kind]}`)
      return { kind, capture: wholeCapture(parseCapture('--backend', rest), refuse) }
    case 'replay':
      if (rest === null || rest === '') throw refuse(`names no file; accepted: ${FORMS[kind]}`)
      return { kind, path: rest }
    case 'af-xdp': {
      const [name = '', queue = '0', ...more] = (rest ?? '').split(':')
      if (!INTERFACE.test(name) || !/^\d{1,4}$/.test(queue) || more.length > 0)
        throw refuse(`is no interface and queue; accepted: ${FORMS['af-xdp']}`)
      return { kind, interface: name, queue: Number(queue) }
    }
    default: {
      if (plugins.includes(kind)) return { kind: 'plugin', name: kind, argument: rest }
      const near = nearestName(kind, [...Object.keys(FORMS), ...plugins])
      const hint = near === null ? '' : `; did you mean ${FORMS[near as keyof typeof FORMS] ?? near}?`
      throw refuse(`is unknown; accepted: ${[ACCEPTED, ...plugins].join(', ')}${hint}`)
    }
  }
}

/** All that drivers send goes there: which part of it is for `--capture` to say. */
function wholeCapture(capture: CaptureSpec, refuse: (problem: string) => Error): CaptureSpec {
  if (capture.pair === null && capture.direction === null) return capture
  throw refuse(`takes no pair and no dir: it is what all drivers send; accepted: --capture beside another backend`)
}

/** As `--backend` would name it. */
export function formatBackend(spec: BackendSpec): string {
  switch (spec.kind) {
    case 'tap':
      return `tap:${spec.name}`
    case 'pcap':
      return `pcap:${spec.capture.path}`
    case 'replay':
      return `replay:${spec.path}`
    case 'plugin':
      return spec.argument === null ? spec.name : `${spec.name}:${spec.argument}`
    case 'af-xdp':
      return `af-xdp:${spec.interface}:${spec.queue}`
    default:
      return spec.kind
  }
}
