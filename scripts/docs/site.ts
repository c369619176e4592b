import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { Marked } from 'marked'
import { keptReport, reportedPackages } from '../api-report.ts'
import { repositoryRoot } from '../workspace.ts'
import { firstPage } from './first-page.ts'
import { followLink, partsOf, slugOf } from './links.ts'
import { type Page, type Section, siteSections } from './pages.ts'
import { STYLE } from './style.ts'

/** What was made, and every link that leads nowhere. */
export interface SiteResult {
  readonly pages: number
  /** `README.md: docs/gone.md: docs/gone.md is not there`. */
  readonly dead: readonly string[]
}

const texts = new Map<string, string>()

function textOf(source: string): string {
  const known = texts.get(source) ?? readFileSync(join(repositoryRoot, source), 'utf8')
  texts.set(source, known)
  return known
}

/**
 * Writes the site into a folder: every page of {@link siteSections}, what each package exports, pictures, and the
 * playground and the benchmark report where they were built.
 */
export function writeSite(into: string): SiteResult {
  rmSync(into, { recursive: true, force: true })
  const sections = siteSections()
  const reports = reportedPackages().map(({ folder, manifest }): Page => {
    texts.set(`${folder}/api-report.md`, keptReport({ folder, manifest, imports: [] }) ?? '')
    return {
      source: `${folder}/api-report.md`,
      target: `api/${manifest.name.replace('@vring/', '')}.html`,
      title: manifest.name,
    }
  })
  const all: Section[] = [...sections, { title: 'Exports', pages: reports }]
  const pages = new Map(all.flatMap((section) => section.pages).map((page) => [page.source, page]))
  const dead: string[] = []
  const extras = copyExtras(into)
  for (const page of pages.values()) {
    const content = renderContent(page, pages, dead, into)
    write(into, page.target, layout(page, content, all, extras))
  }
  const playground = extras.find(({ target }) => target.startsWith('playground/'))?.target ?? null
  const first: Page = { source: '.', target: 'index.html', title: 'vring' }
  const address = (source: string): string => {
    const target = followLink(first, source, pages, () => [])
    if (target.kind === 'page') return target.page.target
    dead.push(`the first page: ${source}: no page of the site`)
    return ''
  }
  write(into, first.target, layout(first, firstPage(textOf('docs/figures.md'), address, playground), all, extras))
  return { pages: pages.size + 1, dead }
}

/** The playground and the report as they were built; each is a folder or a file of its own. */
function copyExtras(into: string): { readonly title: string; readonly target: string }[] {
  const found: { title: string; target: string }[] = []
  const playground = join(repositoryRoot, 'apps/playground/dist')
  if (existsSync(join(playground, 'index.html'))) {
    mkdirSync(into, { recursive: true })
    cpSync(playground, join(into, 'playground'), { recursive: true })
    found.push({ title: 'Playground', target: 'playground/index.html' })
  }
  const report = join(repositoryRoot, 'bench-out/report.html')
  if (existsSync(report)) {
    mkdirSync(into, { recursive: true })
    copyFileSync(report, join(into, 'report.html'))
    found.push({ title: 'Benchmark report', target: 'report.html' })
  }
  return found
}

/** A Markdown file as HTML, its links made those of the site. */
function renderContent(page: Page, pages: ReadonlyMap<string, Page>, dead: string[], into: string): string {
  const up = '../'.repeat(page.target.split('/').length - 1)
  const headings = (source: string): readonly string[] => partsOf(textOf(source)).headings
  const address = (href: string): string | null => {
    const target = followLink(page, href, pages, headings)
    if (target.kind === 'outside') return href
    if (target.kind === 'page') return `${up}${target.page.target}${target.anchor === '' ? '' : `#${target.anchor}`}`
    if (target.kind === 'dead') dead.push(`${page.source}: ${href}: ${target.why}`)
    return null
  }
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${slugOf(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      link({ href, tokens }) {
        const to = address(href)
        const inner = this.parser.parseInline(tokens)
        // A file of the repository is named, not linked: the site does not have it.
        return to === null
          ? `<span class="file" title="${escapeHtml(href)}">${inner}</span>`
          : `<a href="${escapeHtml(to)}">${inner}</a>`
      },
      image({ href, text }) {
        const source = posix.normalize(posix.join(dirname(page.source), href))
        if (!existsSync(join(repositoryRoot, source))) {
          dead.push(`${page.source}: ${href}: ${source} is not there`)
          return ''
        }
        mkdirSync(join(into, dirname(source)), { recursive: true })
        copyFileSync(join(repositoryRoot, source), join(into, source))
        return `<img src="${up}${source}" alt="${escapeHtml(text)}">`
      },
      table({ header, rows }) {
        const row = (cells: typeof header, tag: string): string =>
          `<tr>${cells.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`
        const body = rows.map((cells) => row(cells, 'td')).join('')
        return `<div class="wide"><table><thead>${row(header, 'th')}</thead><tbody>${body}</tbody></table></div>\n`
      },
    },
  })
  return marked.parse(textOf(page.source).replaceAll(/<!--[\s\S]*?-->/g, '')) as string
}

/** A page around its content. The navigation comes after it, so that on a phone the content is first. */
function layout(
  page: Page,
  content: string,
  sections: readonly Section[],
  extras: readonly { readonly title: string; readonly target: string }[],
): string {
  const up = '../'.repeat(page.target.split('/').length - 1)
  const item = ({ title, target }: { title: string; target: string }): string =>
    `<li><a href="${up}${target}"${target === page.target ? ' aria-current="page"' : ''}>${escapeHtml(title)}</a></li>`
  const nav = sections
    .map(({ title, pages: own }, index) => {
      const items = [...own, ...(index === 0 ? extras : [])]
      const open = index < 2 || items.some(({ target }) => target === page.target)
      return `<details${open ? ' open' : ''}><summary>${title}</summary><ul>${items.map(item).join('')}</ul></details>`
    })
    .join('\n')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(page.title)}${page.title === 'vring' ? ': the device side of virtqueues' : ' · vring'}</title>
<style>${STYLE}</style>
<body${page.target === 'index.html' ? ' class="first"' : ''}>
<header><a class="home" href="${up}index.html">vring</a><a class="to-pages" href="#pages">Pages</a></header>
<main id="content">
${content}
<footer>${page.source === '.' ? 'Apache-2.0' : escapeHtml(page.source)}</footer>
</main>
<nav id="pages" aria-label="Pages"><div class="sticky">
${nav}
</div></nav>
</body>
</html>
`
}

function write(into: string, target: string, text: string): void {
  const file = join(into, target)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
