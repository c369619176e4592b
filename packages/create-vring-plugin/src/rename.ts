/** Accepted names of plugins: lower-case words joined by -. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

/** @throws Error that names what is accepted */
export function checkName(name: string): void {
  if (!NAME.test(name) || name.includes('template'))
    throw new Error(`NAME is ${JSON.stringify(name)}; accepted: lower-case words joined by -, without "template"`)
}

/** `my-way` as `MyWay` and `myWay`. */
export function casesOf(name: string): { readonly pascal: string; readonly camel: string } {
  const pascal = name.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return { pascal, camel: pascal[0]!.toLowerCase() + pascal.slice(1) }
}

/** `TemplateWindow` becomes `MyWayWindow`, the value `template` becomes `myWay`, in names and paths it is `my-way`. */
export function renameIdentifiers(name: string, text: string): string {
  const { pascal, camel } = casesOf(name)
  return text
    .replaceAll('Template', pascal)
    .replaceAll(/(?<=['`/])template/g, name)
    .replaceAll(/\btemplate\b/g, camel)
}

/** The last part of a path with its `template` renamed. */
export function renameFile(name: string, path: string): string {
  return path.replaceAll(/template(?=[^/]*$)/g, name)
}
