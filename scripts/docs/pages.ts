import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readWorkspace, repositoryRoot } from '../workspace.ts'

/** A page of the site: a Markdown file of the repository. */
export interface Page {
  /** Relative to the repository: `docs/support.md`. */
  readonly source: string
  /** Relative to the site: `docs/support.html`. */
  readonly target: string
  readonly title: string
}

/** Pages under one heading of the navigation. */
export interface Section {
  readonly title: string
  readonly pages: readonly Page[]
}

function page(source: string, title: string): Page {
  // The first page is the site's own.
  const path = source === 'README.md' ? 'overview.md' : source.replace(/README\.md$/, 'index.md')
  return { source, target: path.replace(/\.md$/, '.html'), title }
}

/** Every page, by the task that brings a reader to it. A file that is not there has no page. */
export function siteSections(): Section[] {
  const packages = readWorkspace()
  const readme = ({ folder, manifest }: (typeof packages)[number]): Page => page(`${folder}/README.md`, manifest.name)
  const adrs = readdirSync(join(repositoryRoot, 'docs/adr'))
    .filter((name) => /^\d{4}-.*\.md$/.test(name))
    .sort()
  const sections: Section[] = [
    {
      title: 'Start',
      pages: [
        page('README.md', 'Overview'),
        page('docs/which-accessor.md', 'Which accessor?'),
        page('docs/figures.md', 'Figures'),
        page('docs/packages.md', 'Packages'),
        page('examples/README.md', 'Examples'),
        page('docs/interop.md', 'Peers'),
        page('docs/support.md', 'Support'),
      ],
    },
    {
      title: 'Make',
      pages: [
        page('docs/tutorial-accessor.md', 'Your own accessor'),
        page('docs/tutorial-backend.md', 'Your own backend'),
        page('ARCHITECTURE.md', 'Architecture'),
        page('CONTRIBUTING.md', 'Contributing'),
        page('SECURITY.md', 'Security'),
      ],
    },
    {
      title: 'Programs',
      pages: [
        ...packages.filter(({ folder }) => folder.startsWith('apps/')).map(readme),
        page('docs/serve.md', 'vring-serve: reference'),
      ],
    },
    { title: 'Packages', pages: packages.filter(({ folder }) => folder.startsWith('packages/')).map(readme) },
    {
      title: 'Decisions',
      pages: [page('docs/adr/README.md', 'All'), ...adrs.map((name) => page(`docs/adr/${name}`, name.slice(0, 4)))],
    },
  ]
  return sections.map(({ title, pages }) => ({
    title,
    pages: pages.filter(({ source }) => existsSync(join(repositoryRoot, source))),
  }))
}
