import { builtinModules } from 'node:module'
import type { Options } from 'tsup'

type EsbuildPlugin = NonNullable<Options['esbuildPlugins']>[number]

/** What a bundled CommonJS library requires of Node becomes an import: an ES module has no `require`. */
export function requiredBuiltins(): EsbuildPlugin {
  const namespace = 'required-builtin'
  return {
    name: 'required-builtins',
    setup(build) {
      build.onResolve({ filter: /^(node:)?[a-z0-9_/]+$/, namespace: 'file' }, ({ kind, path }) => {
        const name = path.replace(/^node:/, '')
        return kind === 'require-call' && builtinModules.includes(name) ? { path: name, namespace } : undefined
      })
      build.onResolve({ filter: /^node:/, namespace }, ({ path }) => ({ path, external: true }))
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: `export * from 'node:${path}'\nexport { default } from 'node:${path}'`,
      }))
    },
  }
}
