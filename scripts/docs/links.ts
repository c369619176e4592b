import { existsSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { marked, type Token } from 'marked'
import { repositoryRoot } from '../workspace.ts'
import type { Page } from './pages.ts'

/** The name that a heading is linked by, as GitHub makes it. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/<[^>]*>|[`*]/g, '')
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-')
}

/** Every link and image of a Markdown text, and every heading. */
export function partsOf(markdown: string): { readonly links: string[]; readonly headings: string[] } {
  const links: string[] = []
  const headings: string[] = []
  marked.walkTokens(marked.lexer(markdown), (token: Token) => {
    if (token.type === 'link' || token.type === 'image') links.push(token['href'] as string)
    if (token.type === 'heading') headings.push(token['text'] as string)
  })
  return { links, headings }
}

/** Where a link of a page leads. */
export type Target =
  | { readonly kind: 'outside' }
  | { readonly kind: 'page'; readonly page: Page; readonly anchor: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'dead'; readonly why: string }

/**
 * Follows a link of a page: to another page, to a file of the repository, or nowhere.
 *
 * @param pages by source
 * @param headings of each page's source
 */
export function followLink(
  from: Page,
  href: string,
  pages: ReadonlyMap<string, Page>,
  headings: (source: string) => readonly string[],
): Target {
  if (/^[a-z]+:/.test(href)) return { kind: 'outside' }
  const [path = '', anchor = ''] = href.split('#')
  const source = path === '' ? from.source : posix.normalize(posix.join(dirname(from.source), decodeURI(path)))
  if (source.startsWith('..')) return { kind: 'dead', why: 'leaves the repository' }
  const page = pages.get(source) ?? pages.get(posix.join(source, 'README.md'))
  if (page !== undefined) {
    if (anchor !== '' && !headings(page.source).map(slugOf).includes(anchor))
      return { kind: 'dead', why: `${page.source} has no heading #${anchor}` }
    return { kind: 'page', page, anchor }
  }
  if (!existsSync(join(repositoryRoot, source))) return { kind: 'dead', why: `${source} is not there` }
  return { kind: 'file', path: source }
}
