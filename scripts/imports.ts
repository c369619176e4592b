import ts from 'typescript'

/** One module specifier in one source file. */
export interface ImportSite {
  /** Relative to the repository. */
  readonly file: string
  /** As written: `@vring/layout`, `./cpu.ts`, `node:fs`. */
  readonly specifier: string
}

/**
 * Every module that a source file names: static imports and re-exports (of types too, as declarations need them),
 * `import()` of a literal and `import('x').Type`. The compiler's own scanner reads the file, so what stands in comments
 * and strings does not count.
 */
export function importsOf(file: string, text: string): ImportSite[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => ({ file, specifier: fileName }))
}

/** Is it a test, which may also use devDependencies? `fixtures/` and `*.bench.ts` count as tests. */
export function isTestFile(file: string): boolean {
  return /\.(test|bench)\.[cm]?tsx?$/.test(file) || file.includes('/fixtures/')
}

/**
 * The package a bare specifier belongs to: `@vring/conformance/accessor` is of `@vring/conformance`; null for a
 * relative one.
 */
export function packageOf(specifier: string): string | null {
  if (specifier.startsWith('.') || specifier.startsWith('/') || specifier.startsWith('node:')) return null
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
