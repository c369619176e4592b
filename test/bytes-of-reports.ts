import ts from 'typescript'
import { keptReport, reportedPackages } from '../scripts/api-report.ts'

const BYTES = /\b(Uint8Array|ArrayBuffer|SharedArrayBuffer|Buffer|DataView)\b/

/** `package: Class.method` or `package: function` of everything exported that takes bytes, by the API reports. */
export function takersOfBytes(): string[] {
  const found = new Set<string>()
  for (const one of reportedPackages()) {
    const name = one.manifest.name.replace('@vring/', '')
    for (const [, code] of keptReport(one)!.matchAll(/```ts\n([\s\S]*?)```/g)) {
      const module = ts.createSourceFile('report.d.ts', code!, ts.ScriptTarget.ES2023, true)
      for (const statement of module.statements)
        for (const taker of takersOf(statement, module)) found.add(`${name}: ${taker}`)
    }
  }
  return [...found].sort()
}

function takersOf(statement: ts.Statement, module: ts.SourceFile): string[] {
  if (ts.isFunctionDeclaration(statement)) return takesBytes(statement, module) ? [statement.name!.text] : []
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name, type }) =>
      type !== undefined && ts.isFunctionTypeNode(type) && takesBytes(type, module) ? [name.getText(module)] : [],
    )
  if (!ts.isClassDeclaration(statement) && !ts.isInterfaceDeclaration(statement)) return []
  const owner = statement.name!.text
  return [...statement.members].flatMap((member) => {
    if (ts.canHaveModifiers(member) && ts.getModifiers(member)?.some(isProtected)) return []
    if (ts.isConstructorDeclaration(member)) return takesBytes(member, module) ? [`${owner}.constructor`] : []
    if (ts.isMethodDeclaration(member) || ts.isMethodSignature(member))
      return takesBytes(member, module) ? [`${owner}.${member.name.getText(module)}`] : []
    return []
  })
}

function isProtected({ kind }: ts.Modifier): boolean {
  return kind === ts.SyntaxKind.ProtectedKeyword
}

/** A parameter is bytes, or several of them; a function that is given bytes later is none. */
function takesBytes({ parameters }: ts.SignatureDeclarationBase, module: ts.SourceFile): boolean {
  return parameters.some(
    ({ type }) => type !== undefined && !ts.isFunctionTypeNode(type) && BYTES.test(type.getText(module)),
  )
}
