import * as accessor from '@vring/accessor'
import { type CatalogueEntry, catalogue } from '@vring/explorer'

/** The explorer's catalogue over the accessor that this page shows. */
export const entries: readonly CatalogueEntry[] = catalogue(accessor)
