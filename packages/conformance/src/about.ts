import type { Window } from '@vring/accessor'
import type { Area } from '@vring/layout'

/** What a check is about, in words, with the area and the method of the access that they name. */
export class About {
  readonly text: string
  readonly area: Area | null
  readonly method: keyof Window | null

  constructor(text: string, area: Area | null = null, method: keyof Window | null = null) {
    this.text = text
    this.area = area
    this.method = method
  }

  toString(): string {
    return this.text
  }
}

/** An access, in words `device.storeWords(44)`, or `device.storeWords` at no one offset. */
export function accessOf(area: Area, method: keyof Window, offset?: number): About {
  return new About(`${area}.${method}${offset === undefined ? '' : `(${offset})`}`, area, method)
}

/** An area as a whole, in words its name. */
export function areaOf(area: Area): About {
  return new About(area, area)
}

/**
 * Words about the first access that stands in them, or the first area.
 *
 * ```ts
 * about`locks that ${accessOf(area, 'load16', 0)} leaves held`
 * ```
 */
export function about(words: TemplateStringsArray, ...values: readonly unknown[]): About {
  const named = values.filter((value) => value instanceof About)
  const first = named.find(({ method }) => method !== null) ?? named[0]
  return new About(String.raw({ raw: words }, ...values), first?.area, first?.method)
}
