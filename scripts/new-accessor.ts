import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { casesOf, checkName, renameFile, renameIdentifiers } from '../packages/create-vring-plugin/src/rename.ts'
import { repositoryRoot } from './workspace.ts'

/** The folder that the generator copies. */
const TEMPLATE = join(repositoryRoot, 'packages/accessor-template')
const COPIED = ['LICENSE', 'README.md', 'package.json', 'src', 'tsconfig.build.json', 'tsup.config.ts']

/**
 * Makes `accessor-NAME` in the folder `into` from the template, with every name changed.
 *
 * @returns the new package's folder
 * @throws Error for a name that is no accessor name, or a folder that exists
 */
export function newAccessor(name: string, into: string = join(repositoryRoot, 'packages')): string {
  checkName(name)
  const folder = join(into, `accessor-${name}`)
  if (existsSync(folder)) throw new Error(`${folder} exists`)
  mkdirSync(folder, { recursive: true })
  for (const entry of COPIED) cpSync(join(TEMPLATE, entry), join(folder, entry), { recursive: true })
  for (const file of filesIn(folder)) {
    const renamed = renameFile(name, file)
    const text = readFileSync(file, 'utf8')
    rmSync(file)
    if (renamed.endsWith('LICENSE')) writeFileSync(renamed, text)
    else if (renamed.endsWith('README.md')) writeFileSync(renamed, readme(name))
    else if (renamed.endsWith('package.json')) writeFileSync(renamed, manifest(name, text))
    else writeFileSync(renamed, renameIdentifiers(name, text))
  }
  return folder
}

function manifest(name: string, text: string): string {
  const { private: _private, ...fields } = JSON.parse(text) as Record<string, unknown>
  const named = {
    ...fields,
    name: `@vring/accessor-${name}`,
    description: `Virtqueue metadata accessor: ${name}.`,
    publishConfig: { access: 'public' },
  }
  return `${JSON.stringify(named, null, 2)}\n`
}

/** The README of a new package: an example that runs, and what its author has to say. */
function readme(name: string): string {
  const { camel } = casesOf(name)
  return `# @vring/accessor-${name}

Virtqueue metadata accessor: say in one line what it does.

## What it is

Say here how it reaches descriptors, avail ring and used ring, and where the idea comes from.

**When not to use it:** say when another accessor is the better one.

## Install

\`\`\`sh
npm install @vring/accessor-${name} @vring/accessor @vring/memory @vring/layout
\`\`\`

## Example

\`\`\`ts
import assert from 'node:assert/strict'
import { CountingCpu } from '@vring/accessor'
import { ${camel} } from '@vring/accessor-${name}'
import { splitRingAreas } from '@vring/layout'
import { PagedSpace } from '@vring/memory'

const cpu = new CountingCpu()
const space = new PagedSpace({ frames: 4, smap: cpu })
const page = space.mmap({ length: 4096 })
const ring = splitRingAreas(16, true, page, page + 1024, page + 2048)
const accessor = ${camel}.create({ cpu, space, ring, iotlb: null }, {})

accessor.beginRound()
assert.equal(accessor.used.store16Release(2, 1), 0)
assert.equal(accessor.used.load16(2), 1)
accessor.endRound()
console.log(cpu.steps)
\`\`\`
`
}

/** The changeset of a new package. */
export function changesetOf(name: string): string {
  return `---\n'@vring/accessor-${name}': minor\n---\n\nSay here why there is another accessor.\n`
}

function filesIn(folder: string): string[] {
  return readdirSync(folder)
    .map((entry) => join(folder, entry))
    .flatMap((path) => (statSync(path).isDirectory() ? filesIn(path) : [path]))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const name = process.argv[2] ?? ''
    const folder = relative(process.cwd(), newAccessor(name))
    writeFileSync(join(repositoryRoot, `.changeset/accessor-${name}.md`), changesetOf(name))
    console.log(`made ${folder} and a changeset; next:
  npm install
  npx vitest run ${folder}
  npm run build && npx vring-bench run --plugin ./${folder}/dist/index.js --accessor ${name},copy-checked`)
  } catch (error) {
    console.error(`new:accessor: ${(error as Error).message}`)
    process.exitCode = 2
  }
}
