/**
 * `npm run docs`: makes the site in docs-out/ and serves it on this machine. `--build` makes it only; `--check` also
 * ends with 1 when a link leads nowhere.
 */
import { join } from 'node:path'
import { preview } from 'vite'
import { repositoryRoot } from '../workspace.ts'
import { writeSite } from './site.ts'

const into = join(repositoryRoot, 'docs-out')
const { pages, dead } = writeSite(into)
for (const line of dead) console.error(`docs: dead link: ${line}`)
console.log(`docs: ${pages} pages in docs-out/, ${dead.length} dead links`)
if (process.argv.includes('--check') && dead.length > 0) process.exitCode = 1
if (!process.argv.includes('--build') && !process.argv.includes('--check')) {
  const server = await preview({
    root: into,
    build: { outDir: into },
    configFile: false,
    preview: { host: '127.0.0.1', open: process.env['CI'] === undefined },
  })
  server.printUrls()
}
