/** `npm run readme`: writes the generated sections of README.md. A test fails when they are out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readmeSections, replaceSections } from './readme-sections.ts'
import { readWorkspace, repositoryRoot } from './workspace.ts'

const file = join(repositoryRoot, 'README.md')
writeFileSync(file, replaceSections(readFileSync(file, 'utf8'), readmeSections(readWorkspace())))
