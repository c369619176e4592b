import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, describe, expect, test } from 'vitest'
import { readWorkspace, repositoryRoot } from '../scripts/workspace.ts'

/**
 * Each README's first ```ts block is a program: it is type-checked as strictly as the sources, and run by Node, in a
 * process of its own, against the sources.
 */
interface Example {
  readonly name: string
  readonly code: string
  /** The block as a file below node_modules/, where `@vring/...` resolves as it does for a user. */
  readonly file: string
}

mkdirSync(join(repositoryRoot, 'node_modules/.cache'), { recursive: true })
const folder = mkdtempSync(join(repositoryRoot, 'node_modules/.cache/vring-readme-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const examples: Example[] = [repositoryRoot, ...readWorkspace().map((one) => join(repositoryRoot, one.folder))].flatMap(
  (path) => {
    const readme = join(path, 'README.md')
    const code = existsSync(readme) ? firstBlock(readFileSync(readme, 'utf8')) : null
    if (code === null) return []
    const name = path.slice(repositoryRoot.length + 1) || 'README.md'
    const file = join(folder, `${name.replace(/\W/g, '-')}.mts`)
    // Without an import or export a file would be a script, and share its names with the next one.
    writeFileSync(file, `${code}\nexport {}\n`)
    return [{ name, code, file }]
  },
)

function firstBlock(markdown: string): string | null {
  return /^```ts\n([\s\S]*?)^```$/m.exec(markdown)?.[1] ?? null
}

/** What the compiler says about all examples together: one program, as its cost is reading the declarations. */
function typeErrors(): string[] {
  const configFile = join(repositoryRoot, 'tsconfig.json')
  const { config } = ts.readConfigFile(configFile, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: examples.map(({ file }) => file) },
    ts.sys,
    repositoryRoot,
  )
  // An example may name a value for the reader's sake without using it.
  const program = ts.createProgram(
    examples.map(({ file }) => file),
    { ...options, noUnusedLocals: false },
  )
  return examples.flatMap(({ name, file }) => {
    const source = program.getSourceFile(file)
    return ts.getPreEmitDiagnostics(program, source).map(({ messageText }) => {
      return `${name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
  })
}

function run(file: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@vring/source', file], {
      cwd: repositoryRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
      // The kit judges itself in nine seconds; a shared machine takes several times as long.
      timeout: 100_000,
    })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    child.stderr.on('data', (text) => {
      output += text
    })
    child.on('error', reject)
    // Marked line by line, so that vitest does not take the example's stack for the test's own.
    child.on('close', (code) => resolve({ code, output: output.replace(/^/gm, '| ') }))
  })
}

describe("a README's first example", () => {
  test.each(examples)(
    'of $name runs',
    async ({ file }) => {
      const { code, output } = await run(file)
      expect(code, output).toBe(0)
    },
    110_000,
  )

  test.each(examples.filter(({ name }) => name !== 'README.md'))('of $name imports from @vring', ({ code }) => {
    expect(code).toMatch(/from '(@vring\/|vring')/)
  })

  test('type-checks', { timeout: 110_000 }, () => {
    expect(typeErrors()).toEqual([])
  })
})
