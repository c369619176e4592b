import { noSteps, type Steps } from '@vring/accessor'
import type { VariantSteps } from './fit-profiles.ts'
import { PUBLISHED_COPY_BYTES } from './published.ts'

/** Packets of a full batch, and so between two updates of an index. Source: Linux drivers/vhost/net.c, VHOST_NET_BATCH. */
const BATCH = 64
/** Once a batch. */
const A = 1 / BATCH
/** Header and frame, copied one after the other. Source: Linux 5.0 drivers/vhost/net.c, vhost_net_build_xdp. */
const PAYLOAD_COPIES = 2

/**
 * Per packet in full batches, one descriptor a packet. Each time come avail.ring and the descriptor. Once a batch come
 * avail.idx, used_event (or avail.flags), the used elements as one copy, and used.idx. Source: Linux 5.0 drivers/vhost,
 * handle_tx_copy.
 */
const SCALAR_READS = 1 + 2 * A
const DESCRIPTOR_READS = 1
const WRITES = 2 * A
const ACCESSES = SCALAR_READS + DESCRIPTOR_READS + WRITES

/** What every way of access has in common: the loads and stores themselves, a barrier a batch, and the payload. */
function steps(userAccesses: number, own: Partial<Steps>): Steps {
  return {
    ...noSteps(),
    stac: PAYLOAD_COPIES + userAccesses,
    clac: PAYLOAD_COPIES + userAccesses,
    walk: PAYLOAD_COPIES + userAccesses,
    // A descriptor is two 64-bit loads; each packet has a used element.
    load: SCALAR_READS + 2 * DESCRIPTOR_READS,
    store: 1 + A,
    mb: A,
    copyBytes: PUBLISHED_COPY_BYTES,
    ...own,
  }
}

/**
 * Steps per packet as the kernel's source has them, for use without a bench: `fitProfiles(PUBLISHED, REFERENCE_STEPS)`.
 * A test holds them against the counts of the real datapath.
 */
export const REFERENCE_STEPS: VariantSteps = {
  'copy-checked': steps(ACCESSES, { lfence: SCALAR_READS + DESCRIPTOR_READS }),
  'nospec-masked': steps(ACCESSES, { limitCheck: ACCESSES, mask: SCALAR_READS }),
  'vmap-direct': steps(0, {}),
  'linear-rcu': steps(0, {}),
  'linear-spinlock': steps(0, { lock: ACCESSES }),
}
