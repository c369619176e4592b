import { copyChecked } from '@vring/accessor-copy-checked'
import { iotlbTranslated } from '@vring/accessor-iotlb-translated'
import { nospecMasked } from '@vring/accessor-nospec-masked'
import { vmapDirect } from '@vring/accessor-vmap-direct'
import { BACKEND_API_VERSION, type BackendPlugin, DropBackend, defineBackend, XdpBackend } from '@vring/vhost-net'
import { Xdp1, Xdp2 } from '@vring/xdp'
import { composeRegistry, type Registry } from './registry.ts'

const xdp = { inPlace: true, xdp: true, privileged: false, receives: false }

/** Backends that work in every process, without privilege and without a device. */
export const builtInBackends: readonly BackendPlugin[] = [
  defineBackend({
    name: 'drop',
    apiVersion: BACKEND_API_VERSION,
    description: 'counts frames and forgets them, unread',
    supports: { inPlace: true, xdp: false, privileged: false, receives: false },
    create: () => new DropBackend(),
  }),
  defineBackend({
    name: 'xdp1',
    apiVersion: BACKEND_API_VERSION,
    description: 'counts frames by IP protocol and drops them (Linux samples/bpf/xdp1)',
    supports: xdp,
    create: () => new XdpBackend(new Xdp1()),
  }),
  defineBackend({
    name: 'xdp2',
    apiVersion: BACKEND_API_VERSION,
    description: 'swaps the MAC addresses and sends back (Linux samples/bpf/xdp2); ends here, counted as TX',
    // It writes to frames, which a driver's memory must be spared: they are copied first.
    supports: { ...xdp, inPlace: false },
    create: () => new XdpBackend(new Xdp2()),
  }),
]

/**
 * The registry of what vring brings along. It has four accessors in order of preference (fastest first among those that
 * can serve) and the backends that need no privilege.
 */
export function createRegistry(): Registry {
  return composeRegistry({
    accessors: [vmapDirect, iotlbTranslated, nospecMasked, copyChecked],
    backends: builtInBackends,
  })
}
