/**
 * `npm run check:packages`: prints what breaks the layers or the common shape of packages, and exits with 1 if anything
 * does. The tests hold the same; this is for the moment before them. With `--publish` also what must hold before a release.
 */
import { checkLayers } from './layers.ts'
import { checkPackageShape, checkPublishable, packageFiles } from './package-shape.ts'
import { readManifest, readWorkspace, repositoryRoot } from './workspace.ts'

const packages = readWorkspace()
const findings = [
  ...checkLayers(packages, readManifest(repositoryRoot).devDependencies),
  ...packages.flatMap((one) => checkPackageShape(one, packageFiles(one))),
  ...(process.argv.includes('--publish') ? checkPublishable(readManifest(repositoryRoot)) : []),
]
for (const finding of findings) console.error(finding)
console.log(`${packages.length} packages, ${findings.length} findings`)
process.exitCode = findings.length === 0 ? 0 : 1
