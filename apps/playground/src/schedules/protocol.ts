import type { CatalogueEntry, Exploration } from '@vring/explorer'

/** An entry of the catalogue as far as it can be sent: without its functions. */
export type EntryFacts = Omit<CatalogueEntry, 'scenario' | 'repaired'> & {
  /** What its threads do. */
  readonly description: string
}

/** Which code an entry's threads run: with the historical bug put back, or as it ships. */
export type Subject = 'faulty' | 'shipped'

/** What the page asks its worker for. */
export type Request =
  | { readonly kind: 'list' }
  | { readonly kind: 'explore'; readonly id: string; readonly subject: Subject }

/** What the worker answers; one answer a request, in their order. */
export type Response =
  | { readonly kind: 'list'; readonly entries: readonly EntryFacts[] }
  | { readonly kind: 'explored'; readonly exploration: Exploration; readonly ms: number }
  | { readonly kind: 'failed'; readonly message: string }
