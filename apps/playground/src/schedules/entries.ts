import * as vmapDirect from '@vring/accessor-vmap-direct'
import { type CatalogueEntry, catalogue } from '@vring/explorer'

/** The explorer's catalogue over the accessor that this page shows. */
export const entries: readonly CatalogueEntry[] = catalogue(vmapDirect)
