import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ratesOf } from '../scripts/docs/first-page.ts'
import { followLink, slugOf } from '../scripts/docs/links.ts'
import { siteSections } from '../scripts/docs/pages.ts'
import { writeSite } from '../scripts/docs/site.ts'
import { repositoryRoot } from '../scripts/workspace.ts'

const folder = mkdtempSync(join(tmpdir(), 'vring-docs-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('the site', () => {
  const { pages, dead } = writeSite(folder)

  test('has no link that leads nowhere', () => {
    expect(dead).toEqual([])
  })

  test('has every page that its navigation names, and the links of each lead to files of it', () => {
    expect(pages).toBeGreaterThan(60)
    const targets = siteSections().flatMap((section) => section.pages.map(({ target }) => target))
    for (const target of ['index.html', ...targets]) {
      const html = readFileSync(join(folder, target), 'utf8')
      expect(html.match(/<h1/g), target).toHaveLength(1)
      const links = [...html.matchAll(/href="([^"#]+)(?:#[^"]*)?"/g)].map(([, href]) => href!)
      for (const href of links.filter((one) => !/^[a-z]+:/.test(one)))
        expect(existsSync(join(folder, target, '..', href)), `${target}: ${href}`).toBe(true)
    }
  })

  test('begins with three ways in and the rates of figures.md, which has the accessors and the floor first', () => {
    const html = readFileSync(join(folder, 'index.html'), 'utf8')
    expect([...html.matchAll(/<h3>(\w+)</g)].map(([, want]) => want)).toEqual(['Measure', 'Serve', 'Build'])
    const rates = ratesOf(readFileSync(join(repositoryRoot, 'docs/figures.md'), 'utf8'))
    expect(rates.map(({ name }) => name.split(':')[0])).toEqual([
      'copy-checked',
      'nospec-masked',
      'vmap-direct',
      'floor',
    ])
    for (const { mpps } of rates) expect(html).toContain(`<td>${mpps.toFixed(1)}</td>`)
  })

  test('finds a dead link: to a file, to a heading, out of the repository', () => {
    const page = { source: 'README.md', target: 'overview.html', title: 'Overview' }
    const follow = (href: string) => followLink(page, href, new Map([['README.md', page]]), () => ['Try it'])
    expect(follow('docs/gone.md')).toMatchObject({ kind: 'dead', why: 'docs/gone.md is not there' })
    expect(follow('#try-it')).toMatchObject({ kind: 'page' })
    expect(follow('#gone')).toMatchObject({ kind: 'dead', why: 'README.md has no heading #gone' })
    expect(follow('../outside.md')).toMatchObject({ kind: 'dead' })
    expect(follow('https://example.com')).toEqual({ kind: 'outside' })
    expect(slugOf('`supports`, and *what* it is')).toBe('supports-and-what-it-is')
  })
})
