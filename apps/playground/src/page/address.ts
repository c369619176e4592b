/** What the fragment of the page's address names: a view, what it shows, and the place in that. */
export interface Address {
  readonly view: 'ring' | 'schedules' | 'xdp'
  /** A story by its name, or an entry by its id; empty: whatever is shown. */
  readonly what: string
  /** Null: where it begins. */
  readonly at: number | null
}

/** Reads `#ring/migration-in-mid-round/7`. What it does not know is the ring. */
export function readAddress(hash: string): Address {
  const [view, what = '', at = ''] = hash.slice(1).split('/')
  return {
    view: view === 'schedules' || view === 'xdp' ? view : 'ring',
    what: nameOf(decoded(what)),
    at: /^\d{1,6}$/.test(at) ? Number(at) : null,
  }
}

/** The fragment that {@link readAddress} reads. */
export function addressText({ view, what, at }: Address): string {
  return `#${[view, ...(what === '' ? [] : [nameOf(what), ...(at === null ? [] : [at])])].join('/')}`
}

/** `One packet, by copies` as a part of an address: `one-packet-by-copies`. */
export function nameOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

/** Anyone may have written it: a broken escape names nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
