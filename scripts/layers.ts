import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import { isTestFile, packageOf } from './imports.ts'
import type { Manifest, WorkspacePackage } from './workspace.ts'

/**
 * The layers of ARCHITECTURE.md, lowest first. A package imports from lower layers only; packages of one layer do not
 * know one another. A trailing `*` stands for any ending.
 */
export const LAYERS: readonly (readonly string[])[] = [
  ['layout'],
  ['mmu-notifier'],
  ['memory'],
  ['iotlb'],
  ['accessor'],
  ['accessor-*', 'virtqueue', 'ebpf'],
  ['xdp'],
  ['vhost-net'],
  ['backend-*', 'vhost-user'],
  ['registry', 'cost-model', 'vhost-user-net', 'vhost-user-blk'],
  ['cli', 'vring', 'create-vring-plugin'],
  ['apps/*'],
]

/** A leaf beside the layers: the operating system. It stands on `layout` and is used by these only. */
const LINUX_USERS = ['backend-*', 'vhost-user', 'vhost-user-blk', 'ebpf', 'vring', 'apps/*']
/** May name `node:` modules; everything else runs in a browser. */
const NODE_USERS = ['linux', 'backend-*', 'vhost-user', 'vhost-user-blk', 'create-vring-plugin', 'apps/*']
/** Packages of which one half runs in a browser: the other half, these folders, may use Node and `linux`. */
const NODE_HALVES: Readonly<Record<string, readonly string[]>> = { ebpf: ['src/linux/', 'src/cli/'] }
/** Foreign function interface: one package. */
const KOFFI_USERS = ['linux']
/**
 * Tools that prove accessors, lowest first, beside the layers: devDependencies of what they prove. They stand on the
 * layers that they name and on tools below them; the plugin that they examine is given to them.
 */
export const TOOLS: readonly (readonly string[])[] = [
  ['testkit', 'net-conformance'],
  ['explorer', 'speculation'],
  ['conformance'],
]
/** The machine that tests share knows no ring code, so that tests of ring code can use it. */
const TOOL_PARTS: Readonly<Record<string, readonly string[]>> = {
  testkit: ['layout', 'mmu-notifier', 'memory', 'iotlb', 'accessor'],
  'net-conformance': ['layout', 'memory', 'vhost-net'],
}
const PARTS_OF_TOOLS = ['layout', 'mmu-notifier', 'memory', 'iotlb', 'accessor', 'virtqueue']
/** Show what the tools find, not for their own tests only. */
const TOOL_USERS = ['apps/bench', 'apps/playground']

/** One edge that the layers forbid, for people: the file, what it names, and the rule. */
export type LayerFinding = string

/** Checks every import and every declared dependency of a workspace; an empty list means that the order holds. */
export function checkLayers(
  packages: readonly WorkspacePackage[],
  rootDevDependencies: Readonly<Record<string, string>> = {},
): LayerFinding[] {
  const byName = new Map(packages.map((one) => [one.manifest.name, one]))
  return [
    ...packages.flatMap((one) => [
      ...checkPlace(one),
      ...checkDeclarations(one, byName),
      ...checkImports(one, byName, rootDevDependencies),
    ]),
    ...checkCycles(packages, byName),
  ]
}

/** `layout` for packages/layout, `apps/bench` for apps/bench. */
function shortName({ folder }: WorkspacePackage): string {
  return folder.replace(/^packages\//, '')
}

function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
}

/** Height of a tool among the tools, or -1. */
function toolLayerOf(name: string): number {
  return TOOLS.findIndex((layer) => layer.includes(name))
}

/** Height of a package: 0 is the bottom; `linux` and the tools stand beside the layers. */
function layerOf(one: WorkspacePackage): number {
  return LAYERS.findIndex((layer) => matches(shortName(one), layer))
}

function checkPlace(one: WorkspacePackage): LayerFinding[] {
  const name = shortName(one)
  return layerOf(one) >= 0 || name === 'linux' || toolLayerOf(name) >= 0
    ? []
    : [`${one.folder}: has no place in the layers; give it one in scripts/layers.ts and ARCHITECTURE.md`]
}

/** Why `from` must not use `to` at run time, or null. */
function forbidden(from: WorkspacePackage, to: WorkspacePackage): string | null {
  const fromName = shortName(from)
  const toName = shortName(to)
  const fromTool = toolLayerOf(fromName)
  const toTool = toolLayerOf(toName)
  if (toTool >= 0)
    return fromTool > toTool || (fromTool < 0 && matches(fromName, TOOL_USERS))
      ? null
      : `${toName} is a devDependency, for tests only`
  if (toName === 'linux')
    return matches(fromName, LINUX_USERS) ? null : `linux is used by ${LINUX_USERS.join(', ')} only`
  if (fromName === 'linux') return toName === 'layout' ? null : 'linux is a leaf that stands on layout only'
  if (fromTool >= 0) {
    const parts = TOOL_PARTS[fromName] ?? PARTS_OF_TOOLS
    return matches(toName, parts) ? null : `${fromName} stands on ${parts.join(', ')} only`
  }
  const fromLayer = layerOf(from)
  const toLayer = layerOf(to)
  if (toLayer < fromLayer) return null
  if (toLayer > fromLayer) return `upward: layer ${toLayer} is above layer ${fromLayer}`
  return `sideways: both are in layer ${fromLayer}, whose packages do not know one another`
}

/**
 * Libraries whose code a package's build writes into its own files (a devDependency of it then): each weighs megabytes
 * as it is installed, and a hundredth of that as it is used.
 */
export const BUNDLED: Readonly<Record<string, readonly string[]>> = {
  'backend-pcap': ['fflate'],
  'apps/serve': ['prom-client', 'zod'],
}

function runtimeDependencies(manifest: Manifest): string[] {
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
}

function checkDeclarations(one: WorkspacePackage, byName: ReadonlyMap<string, WorkspacePackage>): LayerFinding[] {
  return runtimeDependencies(one.manifest).flatMap((name) => {
    const to = byName.get(name)
    const why = to ? forbidden(one, to) : name.startsWith('@vring/') ? 'there is no such workspace' : null
    return why ? [`${one.folder}/package.json: depends on ${name}: ${why}`] : []
  })
}

function checkImports(
  one: WorkspacePackage,
  byName: ReadonlyMap<string, WorkspacePackage>,
  rootDevDependencies: Readonly<Record<string, string>>,
): LayerFinding[] {
  const bundled = (BUNDLED[shortName(one)] ?? []).filter((name) => one.manifest.devDependencies?.[name] !== undefined)
  const runtime = new Set([...runtimeDependencies(one.manifest), one.manifest.name, ...bundled])
  const testing = new Set([
    ...runtime,
    ...Object.keys(one.manifest.devDependencies ?? {}),
    ...Object.keys(rootDevDependencies),
  ])
  return one.imports.flatMap(({ file, specifier }) => {
    const test = isTestFile(file)
    const why = specifier.startsWith('.')
      ? checkRelative(one, file, specifier)
      : isBuiltin(specifier)
        ? checkBuiltin(one, file, specifier, test)
        : checkBare(one, file, specifier, byName, test ? testing : runtime, test)
    return why ? [`${file}: imports ${specifier}: ${why}`] : []
  })
}

function checkRelative(one: WorkspacePackage, file: string, specifier: string): string | null {
  const target = posix.join(posix.dirname(file), specifier)
  return target.startsWith(`${one.folder}/`) ? null : 'a relative import leaves its package'
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier)
}

/** Does a file belong to a half that may use Node? Undefined: the package has no halves. */
function isInNodeHalf(one: WorkspacePackage, file: string): boolean | undefined {
  return NODE_HALVES[shortName(one)]?.some((folder) => file.startsWith(`${one.folder}/${folder}`))
}

function checkBuiltin(one: WorkspacePackage, file: string, specifier: string, test: boolean): string | null {
  if (!specifier.startsWith('node:')) return `write node:${specifier}`
  return test || (isInNodeHalf(one, file) ?? matches(shortName(one), NODE_USERS))
    ? null
    : `only ${NODE_USERS.join(', ')} may use Node`
}

function checkBare(
  one: WorkspacePackage,
  file: string,
  specifier: string,
  byName: ReadonlyMap<string, WorkspacePackage>,
  declared: ReadonlySet<string>,
  test: boolean,
): string | null {
  const name = packageOf(specifier) as string
  if (name === 'koffi' && !matches(shortName(one), KOFFI_USERS)) return 'only linux calls foreign functions'
  if (!declared.has(name)) return test ? 'not a declared dependency or devDependency' : 'not a declared dependency'
  const to = byName.get(name)
  if (!to) return null
  const subpath = `.${specifier.slice(name.length)}`
  if (to.manifest.exports && !(subpath in to.manifest.exports)) return `${name} does not export ${subpath}`
  if (!test && shortName(to) === 'linux' && isInNodeHalf(one, file) === false)
    return `only ${NODE_HALVES[shortName(one)]!.join(', ')} of this package may use it`
  // A test may look sideways or up (devDependencies); the build order below still has to exist.
  return test || to === one ? null : forbidden(one, to)
}

/** Packages are built in the order of dependencies and devDependencies together, so that graph has no cycle. */
function checkCycles(
  packages: readonly WorkspacePackage[],
  byName: ReadonlyMap<string, WorkspacePackage>,
): LayerFinding[] {
  const done = new Set<WorkspacePackage>()
  const path: WorkspacePackage[] = []
  const findings: LayerFinding[] = []
  const visit = (one: WorkspacePackage): void => {
    if (done.has(one)) return
    const start = path.indexOf(one)
    if (start >= 0) {
      const cycle = [...path.slice(start), one].map(({ manifest }) => manifest.name)
      findings.push(`dependency cycle, which has no build order: ${cycle.join(' -> ')}`)
      return
    }
    path.push(one)
    for (const name of [...runtimeDependencies(one.manifest), ...Object.keys(one.manifest.devDependencies ?? {})]) {
      const to = byName.get(name)
      if (to) visit(to)
    }
    path.pop()
    done.add(one)
  }
  packages.forEach(visit)
  return findings
}
