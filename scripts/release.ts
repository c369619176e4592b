/**
 * `npm run release`: publishes what the changesets have versioned, once every gate is open. `--dry-run` tries the gates
 * only. The workflow `release` calls it where npm can prove where a package was built.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './workspace.ts'

/** One thing that must hold. */
export interface Gate {
  readonly name: string
  /** Why it does not hold, or null. */
  check(): string | null
}

function output(command: string, ...args: readonly string[]): string {
  return spawnSync(command, args, { cwd: repositoryRoot, encoding: 'utf8' }).stdout.trim()
}

function succeeds(command: string, ...args: readonly string[]): string | null {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: repositoryRoot, encoding: 'utf8' })
  return status === 0 ? null : `${command} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`.trim()
}

/** In the order in which they cost. */
export const GATES: readonly Gate[] = [
  {
    name: 'the tree is clean and on main',
    check() {
      const changed = output('git', 'status', '--porcelain')
      if (changed !== '') return `changed: ${changed.split('\n').join(', ')}`
      const branch = output('git', 'branch', '--show-current')
      return branch === 'main' ? null : `the branch is ${branch || 'none'}`
    },
  },
  {
    name: 'changesets have become versions',
    check() {
      const left = readdirSync(join(repositoryRoot, '.changeset')).filter((name) => name.endsWith('.md'))
      return left.length === 0 ? null : `${left.length} changesets are left: npm run release:version`
    },
  },
  {
    name: 'all packages have one version',
    check() {
      const lock = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
        packages: Record<string, { version?: string; link?: boolean }>
      }
      const versions = new Set(
        Object.entries(lock.packages)
          .filter(([path, { version }]) => /^packages\//.test(path) && version !== undefined)
          .map(([, { version }]) => version),
      )
      return versions.size === 1 ? null : `versions: ${[...versions].join(', ')}`
    },
  },
  { name: 'packages may be published', check: () => succeeds('npx', 'tsx', 'scripts/check-packages.ts', '--publish') },
  {
    name: 'CI is green on this commit',
    check() {
      const passed = process.argv.find((one) => one.startsWith('--ci-passed='))?.split('=')[1]
      return passed === output('git', 'rev-parse', 'HEAD') ? null : '--ci-passed=COMMIT does not name it: bash .ci/run'
    },
  },
]

/** Gates that are closed, each with its reason. */
export function closedGates(gates: readonly Gate[] = GATES): string[] {
  return gates.flatMap(({ name, check }) => {
    const reason = check()
    return reason === null ? [] : [`${name}: no: ${reason}`]
  })
}

if (process.argv[1]?.endsWith('release.ts') === true) {
  const closed = closedGates()
  for (const line of closed) console.error(`release: ${line}`)
  if (closed.length > 0) process.exitCode = 1
  else if (process.argv.includes('--dry-run')) console.log('release: every gate is open')
  else {
    const { status } = spawnSync('npx', ['changeset', 'publish'], {
      cwd: repositoryRoot,
      stdio: 'inherit',
      env: { ...process.env, NPM_CONFIG_PROVENANCE: 'true' },
    })
    process.exitCode = status ?? 1
  }
}
