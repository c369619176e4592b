import { defineConfig, type Options } from 'tsup'
import { bundledLicenses, LICENSES_FILE } from './scripts/build/bundled-licenses.ts'
import { constBindings } from './scripts/build/const-bindings.ts'
import { leanMaps } from './scripts/build/map-lines.ts'
import { requiredBuiltins } from './scripts/build/required-builtins.ts'

/**
 * The one tsup configuration of the repository: ESM JavaScript with source maps.
 * Declarations come from `tsc` (see each package's `tsconfig.build.json`): with two cores that is
 * three times as fast as bundling them, and the output keeps one `.d.ts` per source file.
 */
export function vringPackage(options: Options = {}): ReturnType<typeof defineConfig> {
  return defineConfig(packageOptions(options))
}

/**
 * What an earlier build left is removed, except the declarations, which tsc may be writing at this moment, and
 * `modules`, which another build of the same package writes. The list of licences is added to. tsup takes a list as
 * exceptions only: it puts all files before it.
 */
export function allBut(...modules: string[]): string[] {
  return ['!**/*.d.ts', `!${LICENSES_FILE}`, ...modules.map((name) => `!${name}.js*`)]
}

/** The options of {@link vringPackage}, for a package that builds in several ways. */
export function packageOptions(options: Options = {}): Options {
  return {
    entry: ['src/index.ts'],
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    clean: allBut(),
    dts: false,
    splitting: true,
    treeshake: false,
    silent: true,
    plugins: [constBindings(), leanMaps()],
    esbuildPlugins: [requiredBuiltins(), bundledLicenses()],
    // `node:fs` stays `node:fs`: Deno, bundlers and readers know it as a built-in by that.
    removeNodeProtocol: false,
    // Constants of a package are written where they are used: V8 can't fold one that is a module's export.
    esbuildOptions: sources,
    ...(options.noExternal === undefined ? {} : foldConstants),
    ...options,
  }
}

type EsbuildOptions = Parameters<NonNullable<Options['esbuildOptions']>>[0]

/** What every build asks of esbuild. Maps name the sources that a package ships beside them, and do not repeat them. */
export function sources(esbuild: EsbuildOptions): void {
  esbuild.minifySyntax = true
  esbuild.sourcesContent = false
  // What is bundled of a library may name a built-in module without `node:`.
  esbuild.alias = { ...esbuild.alias, module: 'node:module' }
}

/**
 * A bundle of several packages, for what runs packets: esbuild leaves constants of other modules as variables, which V8
 * loads and checks at every use; here each is written out where it is used, and nothing else is changed.
 */
const foldConstants: Options = {
  minify: 'terser',
  terserOptions: {
    module: true,
    mangle: false,
    format: { beautify: true },
    compress: {
      defaults: false,
      toplevel: true,
      reduce_vars: true,
      evaluate: true,
      reduce_funcs: false,
      unused: false,
    },
  },
}
