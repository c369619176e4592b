import { type Dirent, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../scripts/workspace.ts'

/** Words of the glossary in CONTRIBUTING.md, and what to say. */
const WORDS: readonly (readonly [word: string, say: string])[] = [
  ['behind', 'after, next, under, past the end of'],
  ['in front of', 'before'],
  ['whoever', 'the caller, a process that'],
  ['somebody', 'a process, another driver'],
  ['someone', 'a process, another driver'],
  ['anybody', 'a process, a driver'],
  ['everybody', 'every process, all listeners'],
  ['nobody', 'no process, no driver'],
  ['anew', 'again'],
  ['once more', 'again'],
]

/** Where a word stays. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // The glossary itself, and its test.
  'CONTRIBUTING.md': ['behind', 'in front of', 'whoever', 'somebody', 'anybody', 'anew', 'once more'],
  'test/words.test.ts': WORDS.map(([word]) => word),
  // The user of passwd(5).
  'apps/serve/src/config/config.test.ts': ['nobody'],
}

/** What is generated, installed, recorded or the text of others. */
const LEFT_OUT =
  /^(node_modules|dist|coverage|bench-out|test-artifacts|docs-out|failures|LICENSE|package-lock\.json|\.git|\.turbo|\.tutorial-.*)$|\.(pcap|pcapng|png|gz|tgz|tsbuildinfo)$/

/** Path of each text of the repository, and its text. */
const texts = new Map(textsOf(''))

describe('plain words', () => {
  test.each(WORDS)('no text says "%s": it says %s', (word) => {
    const found = [...texts].flatMap(([path, text]) =>
      (ALLOWED[path] ?? []).includes(word)
        ? []
        : [...text.matchAll(pattern(word))].map(({ index }) => `${path}:${text.slice(0, index).split('\n').length}`),
    )
    expect(found).toEqual([])
  })

  test('each exception is still needed', () => {
    const idle = Object.entries(ALLOWED).flatMap(([path, words]) =>
      words.filter((word) => texts.get(path)?.match(pattern(word)) == null).map((word) => `${path}: ${word}`),
    )
    expect(idle).toEqual([])
  })
})

/** The word, also where a comment's line ends in it. */
function pattern(word: string): RegExp {
  return new RegExp(`\\b${word.replaceAll(' ', String.raw`\s+(?:(?:\*|//|#)\s+)?`)}\\b`, 'gi')
}

/** Other tests make files while this one looks: what goes away meanwhile is left out. */
function textsOf(folder: string): [string, string][] {
  return entriesOf(folder).flatMap((entry): [string, string][] => {
    const path = join(folder, entry.name)
    if (LEFT_OUT.test(entry.name)) return []
    if (entry.isDirectory()) return textsOf(path)
    const text = entry.isFile() ? textOf(path) : ''
    return text.includes('\0') ? [] : [[path, text]]
  })
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(join(repositoryRoot, folder), { withFileTypes: true })
  } catch {
    return []
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(join(repositoryRoot, path), 'utf8')
  } catch {
    return ''
  }
}
