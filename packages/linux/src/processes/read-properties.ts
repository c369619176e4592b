/** How far down properties are read: a plugin's options, their values, and what those are by. */
const DEPTH = 4
/** Properties that are read at most: an export may be as large as it likes. */
const READS = 1000

/**
 * Reads the properties of an object, of its prototypes, and of the objects that they hold, up to a bound. A getter that
 * never returns does so here. What throws is passed over: it will throw where it is needed, too.
 */
export function readProperties(root: object): void {
  const seen = new Set<object>()
  let reads = 0
  const read = (object: object, depth: number): void => {
    if (depth === 0 || seen.has(object) || ArrayBuffer.isView(object)) return
    seen.add(object)
    for (const key of keysOf(object)) {
      if (++reads > READS) return
      const value = attempt(() => (object as Record<PropertyKey, unknown>)[key])
      if (typeof value === 'object' && value !== null) read(value, depth - 1)
    }
  }
  read(root, DEPTH)
}

/** Own keys and those of prototypes, but what every object has. */
function keysOf(object: object): readonly PropertyKey[] {
  const keys = new Set<PropertyKey>()
  for (let at: object | null = object; at !== null && at !== Object.prototype; ) {
    const here: object = at
    for (const key of attempt(() => Reflect.ownKeys(here).slice(0, READS)) ?? []) keys.add(key)
    at = attempt(() => Object.getPrototypeOf(here) as object | null) ?? null
  }
  return [...keys]
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
