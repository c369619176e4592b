import {
  ACCESSOR_API_CHANGE,
  ACCESSOR_API_VERSION,
  type AccessorPlugin,
  defineAccessor,
  isAccessorPlugin,
} from '@vring/accessor'
import { isVringError, VringError } from '@vring/layout'
import { BACKEND_API_VERSION, type BackendPlugin, defineBackend, isBackendPlugin } from '@vring/vhost-net'

/** Where a plugin's name or path is looked up. */
export interface LoadPluginOptions {
  /** Directory (a `file:` URL that ends in `/`) that relative paths and packages are looked up from. */
  readonly from: string
  /**
   * Turns a package name into the URL of its module, as seen from `from`; the host knows how (Node: its own
   * `node_modules`). Default: the name as it is, which finds packages beside this one.
   */
  readonly resolvePackage?: (name: string, from: string) => string
  /**
   * How long a module may take until it is loaded, in ms. Default 10,000. One that blocks the thread is stopped by
   * `tryModule` only.
   */
  readonly limitMs?: number
  /**
   * Imports a module elsewhere first, within a limit in ms, and says why it must not be imported here: `tryModule` of
   * `@vring/linux` does. Default: none.
   */
  readonly tryModule?: (url: string, limitMs: number) => Promise<string | null>
}

/** A plugin of either kind. */
export type LoadedPlugin =
  | { readonly kind: 'accessor'; readonly accessor: AccessorPlugin }
  | { readonly kind: 'backend'; readonly backend: BackendPlugin }

const ACCEPTED =
  'a module whose default export, or export "accessor" or "backend", is made by defineAccessor of @vring/accessor or ' +
  'defineBackend of @vring/vhost-net'

/** Why a plugin is refused: it by its specifier, and what is wrong with it. */
export function invalidPlugin(spec: string, problem: string, cause?: unknown): VringError {
  const details = { field: 'plugin', value: spec, accepted: ACCEPTED }
  return new VringError(
    'ERR_INVALID_PLUGIN',
    `plugin ${spec}: ${problem}`,
    cause === undefined ? details : { ...details, cause },
  )
}

/**
 * Loads a plugin that this repository does not know. It is a package name, a path (`./`, `../`, `/`) or a `file:` URL
 * of a module. Its default export, or its export named `accessor` or `backend`, is the result of `defineAccessor` or
 * `defineBackend`.
 *
 * Loading runs the module: a plugin is trusted code. Its module may await what it has to set up.
 *
 * @throws VringError ERR_INVALID_PLUGIN with the plugin's name and what is wrong with it; `cause` has what it threw
 */
export async function loadPlugin(spec: string, options: LoadPluginOptions): Promise<LoadedPlugin> {
  const invalid = (problem: string, cause?: unknown): VringError => invalidPlugin(spec, problem, cause)
  const { limitMs = 10_000, tryModule = async () => null } = options
  let loaded: Record<string, unknown> = {}
  let problem: string | null
  try {
    const url = moduleUrl(spec, options)
    problem = await tryModule(url, limitMs)
    if (problem === null) loaded = await within(limitMs, import(/* @vite-ignore */ url))
  } catch (cause) {
    if (cause === TOO_LATE) throw invalid(`is not loaded after ${limitMs} ms: its module waits for something`)
    throw invalid(`can't be loaded: ${problemOf(cause)}`, cause)
  }
  if (problem !== null) throw invalid(problem)
  const plugin = loaded['default'] ?? loaded['accessor'] ?? loaded['backend']
  if (plugin === undefined)
    throw invalid(
      `has neither a default export nor one named accessor or backend; it exports ${list(Object.keys(loaded))}`,
    )
  if (plugin instanceof Promise)
    throw invalid('exports a promise; accepted: what it resolves to, as a module may await')
  const speaks = (contract: string, theirs: number, ours: number, change = ''): void => {
    if (theirs !== ours)
      throw invalid(`was written against ${contract} contract ${theirs}; this release speaks ${ours}${change}`)
  }
  if (isAccessorPlugin(plugin)) {
    speaks('accessor', plugin.apiVersion, ACCESSOR_API_VERSION, `: ${ACCESSOR_API_CHANGE}`)
    return { kind: 'accessor', accessor: whole(spec, () => defineAccessor(plugin)) }
  }
  if (isBackendPlugin(plugin)) {
    speaks('backend', plugin.apiVersion, BACKEND_API_VERSION)
    return { kind: 'backend', backend: whole(spec, () => defineBackend(plugin)) }
  }
  throw invalid('its export was made neither by defineAccessor nor by defineBackend')
}

/** A plugin whose description was read once, and found whole: the mark of one can be put on any object. */
function whole<T>(spec: string, define: () => T): T {
  try {
    return define()
  } catch (cause) {
    throw invalidPlugin(spec, isVringError(cause) ? cause.message : `throws: ${problemOf(cause)}`, cause)
  }
}

const TOO_LATE: unique symbol = Symbol('too late')

/** Of every host: browsers, Node, Deno. */
declare function setTimeout(callback: () => void, ms: number): unknown
declare function clearTimeout(timer: unknown): void

/** What a promise resolves to, or a rejection with {@link TOO_LATE}. */
async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: unknown
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(TOO_LATE), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function moduleUrl(spec: string, { from, resolvePackage }: LoadPluginOptions): string {
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(spec)) return new URL(spec, from).href
  if (/^(file|data|https?|node):/.test(spec)) return spec
  return resolvePackage === undefined ? spec : resolvePackage(spec, from)
}

/** A module of an earlier contract asks for what is no longer there, before its plugin can say which it speaks. */
const OLD_IMPORT = /'@vring\/accessor' does not provide an export/
/** An ES module that Node reads as CommonJS, as its package says. */
const READ_AS_COMMONJS = /^(Unexpected token 'export'|Cannot use import statement outside a module)/

/** The first line of what was thrown and where, in the user's words where the loader has its own. */
function problemOf(cause: unknown): string {
  if ((cause as { code?: unknown } | null)?.code === 'ERR_UNSUPPORTED_DIR_IMPORT')
    return 'it is a directory; accepted: a module'
  const message = cause instanceof Error ? cause.message : String(cause)
  const line = message.split('\n', 1)[0]!
  if (OLD_IMPORT.test(line)) return `${line}; contract ${ACCESSOR_API_VERSION}: ${ACCESSOR_API_CHANGE}`
  if (cause instanceof SyntaxError && READ_AS_COMMONJS.test(line))
    return `${line}: it is read as CommonJS; accepted: "type": "module" in its package.json, or a name that ends in .mjs`
  return `${line}${placeOf(cause)}`
}

/**
 * Where an error of a plugin was thrown, by its stack: ` (method at file:line)`; nothing for what has no place in a
 * module.
 */
export function placeOf(thrown: unknown): string {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : ''
  const frame = stack.split('\n').find((line) => /^\s+at (?!.*\bnode:)/.test(line))
  return frame === undefined
    ? ''
    : ` (${frame
        .trim()
        .replace(/^at (?:async )?/, '')
        .replace(/^(.*) \((.*)\)$/, '$1 at $2')})`
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ')
}
