/** What makes or stores a BigInt and can be replaced: `[owner, name]`. */
const MAKERS: readonly (readonly [owner: object, name: string])[] = [
  [globalThis, 'BigInt'],
  [globalThis, 'BigInt64Array'],
  [globalThis, 'BigUint64Array'],
  ...['getBigInt64', 'getBigUint64', 'setBigInt64', 'setBigUint64'].map((name) => [DataView.prototype, name] as const),
]

/**
 * Runs `body` and says which of the functions that make BigInts it called. Literals are not seen.
 *
 * @returns the name of the first one, or null
 */
export function watchBigInts(body: () => void): string | null {
  let called: string | null = null
  const kept = MAKERS.map(([owner, name]) => ({ owner, name, property: Object.getOwnPropertyDescriptor(owner, name)! }))
  for (const { owner, name, property } of kept) {
    const note = (): void => {
      called ??= name
    }
    const value = new Proxy(property.value as (...args: unknown[]) => unknown, {
      apply(target, self, args: unknown[]): unknown {
        note()
        return Reflect.apply(target, self, args)
      },
      construct(target, args: unknown[], newTarget): object {
        note()
        return Reflect.construct(target, args, newTarget) as object
      },
      get(target, key, receiver): unknown {
        if (key === 'asIntN' || key === 'asUintN') note()
        return Reflect.get(target, key, receiver) as unknown
      },
    })
    Object.defineProperty(owner, name, { ...property, value })
  }
  try {
    body()
  } finally {
    for (const { owner, name, property } of kept) Object.defineProperty(owner, name, property)
  }
  return called
}
