import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { readWorkspace, repositoryRoot, type WorkspacePackage } from './workspace.ts'

/** Name of the report in a package's folder; it is not published. */
const API_REPORT = 'api-report.md'

const printer = ts.createPrinter({ removeComments: true })

/**
 * What a package promises: every declaration that each of its entry points exports, by name, without comments and private
 * members. A change of it is a change for users, and shows in a review as a change of one file.
 */
export function apiReport({ folder, manifest }: WorkspacePackage): string {
  const parts = Object.entries(manifest.exports ?? {}).flatMap(([path, target]) => {
    const source = (target as Record<string, string>)['@vring/source']
    if (source === undefined) return []
    const lines = [...declarationsOf(join(repositoryRoot, folder, source))].sort(([a], [b]) => (a < b ? -1 : 1))
    return [`## ${manifest.name}${path.slice(1)}\n\n\`\`\`ts\n${lines.map(([, text]) => text).join('\n')}\n\`\`\`\n`]
  })
  return `# What ${manifest.name} exports\n\nWritten by \`npm run api\`, checked by a test.\n\n${parts.join('\n')}`
}

const known = new Map<string, ReadonlyMap<string, string>>()

/** Declarations by name of what a module exports, its re-exports followed within the package. */
function declarationsOf(file: string): ReadonlyMap<string, string> {
  const found = known.get(file) ?? readDeclarations(file)
  known.set(file, found)
  return found
}

function readDeclarations(file: string): ReadonlyMap<string, string> {
  const { outputText } = ts.transpileDeclaration(readFileSync(file, 'utf8'), {
    fileName: file,
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, stripInternal: true },
  })
  const module = ts.createSourceFile(file, outputText, ts.ScriptTarget.ES2023, true)
  const found = new Map<string, string>()
  for (const statement of module.statements) {
    if (ts.isExportDeclaration(statement))
      for (const [name, text] of reExports(file, module, statement)) found.set(name, text)
    else if (isExported(statement)) for (const name of namesOf(statement)) found.set(name, print(statement, module))
  }
  return found
}

function reExports(file: string, module: ts.SourceFile, statement: ts.ExportDeclaration): [string, string][] {
  const from = statement.moduleSpecifier
  if (from === undefined || !ts.isStringLiteral(from)) return []
  if (!from.text.startsWith('.')) return [[from.text, print(statement, module)]]
  const all = declarationsOf(join(dirname(file), from.text))
  const clause = statement.exportClause
  if (clause === undefined || !ts.isNamedExports(clause)) return [...all]
  return clause.elements.map(({ name, propertyName }) => [name.text, all.get((propertyName ?? name).text) ?? name.text])
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  )
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText())
  const { name } = statement as ts.DeclarationStatement
  return name === undefined ? [] : [name.text]
}

/** A declaration on few lines: private members are not part of the promise. */
function print(statement: ts.Statement, module: ts.SourceFile): string {
  const visible =
    ts.isClassDeclaration(statement) && statement.members.some(isPrivate)
      ? ts.factory.updateClassDeclaration(
          statement,
          statement.modifiers,
          statement.name,
          statement.typeParameters,
          statement.heritageClauses,
          statement.members.filter((member) => !isPrivate(member)),
        )
      : statement
  return printer.printNode(ts.EmitHint.Unspecified, visible, module)
}

function isPrivate(member: ts.ClassElement): boolean {
  const modifiers = ts.canHaveModifiers(member) ? (ts.getModifiers(member) ?? []) : []
  return (
    modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) ||
    member.name?.kind === ts.SyntaxKind.PrivateIdentifier
  )
}

/** The packages that have a report: every public library. */
export function reportedPackages(): WorkspacePackage[] {
  return readWorkspace().filter(({ folder, manifest }) => folder.startsWith('packages/') && manifest.private !== true)
}

/** The report as it is kept, or null. */
export function keptReport({ folder }: WorkspacePackage): string | null {
  const file = join(repositoryRoot, folder, API_REPORT)
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const one of reportedPackages()) writeFileSync(join(repositoryRoot, one.folder, API_REPORT), apiReport(one))
