/**
 * Starts a thread of this program. From sources it is told first how to read TypeScript: Node's hooks of this thread do not
 * reach another one.
 *
 * @param Worker the class of `node:worker_threads`: given, as this package's declarations need no types of Node's
 * @param entry URL of its module, `.ts` or as built
 */
export function startThread<Thread, Options extends object>(
  Worker: new (entry: string | URL, options?: Options) => Thread,
  entry: URL,
  options: Options,
): Thread {
  if (!entry.pathname.endsWith('.ts')) return new Worker(entry, options)
  const tsx = import.meta.resolve('tsx/esm/api')
  const load = `import('${tsx}').then(({ register }) => { register(); return import('${entry.href}') })`
  return new Worker(load, { ...options, eval: true })
}
