/** A file of this package that is not code: `src` and `dist` lie side by side, and a build is flat. */
export function packageFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url)
}
