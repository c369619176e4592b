import { indirectTableMutants } from './indirect-table-mutants.ts'
import { packedNotificationsMutants } from './packed-notifications-mutants.ts'
import { packedPublisherMutants } from './packed-publisher-mutants.ts'
import { packedQueueMutants } from './packed-queue-mutants.ts'
import { packedReaderMutants } from './packed-reader-mutants.ts'
import { packedWalkerMutants } from './packed-walker-mutants.ts'
import type { RingMutant } from './ring-mutant.ts'
import { splitNotificationsMutants } from './split-notifications-mutants.ts'
import { splitPublisherMutants } from './split-publisher-mutants.ts'
import { splitQueueMutants } from './split-queue-mutants.ts'
import { splitReaderMutants } from './split-reader-mutants.ts'
import { splitWalkerMutants } from './split-walker-mutants.ts'

/** Every mutant of the rings that ship, device side. */
export const RING_MUTANTS: readonly RingMutant[] = [
  ...splitReaderMutants,
  ...splitWalkerMutants,
  ...splitPublisherMutants,
  ...splitNotificationsMutants,
  ...splitQueueMutants,
  ...packedReaderMutants,
  ...packedWalkerMutants,
  ...packedPublisherMutants,
  ...packedNotificationsMutants,
  ...packedQueueMutants,
  ...indirectTableMutants,
]
