/** `npm run readme`: writes the generated sections of READMEs. A test fails when they are out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedReadmes, replaceSections } from './readme-sections.ts'
import { readWorkspace, repositoryRoot } from './workspace.ts'

for (const [name, sections] of await generatedReadmes(readWorkspace())) {
  const file = join(repositoryRoot, name)
  writeFileSync(file, replaceSections(readFileSync(file, 'utf8'), sections))
}
