import { BACKEND_API_VERSION, type BackendPlugin, defineBackend, LoopbackBackend } from '@vring/vhost-net'
import type { DriverName } from '../cell/cell-spec.ts'
import { AfXdpEnd } from './af-xdp-end.ts'
import { TapEnd } from './tap-end.ts'

/** Backends of cells beside those of the registry: they take part in a device of two directions. */
export const systemBackends: readonly BackendPlugin[] = [
  defineBackend({
    name: 'loopback',
    apiVersion: BACKEND_API_VERSION,
    description: 'gives every frame back to the driver: received, copied and returned',
    supports: { inPlace: false, xdp: false, privileged: false, receives: true },
    create: () => new LoopbackBackend(),
  }),
  defineBackend({
    name: 'tap',
    apiVersion: BACKEND_API_VERSION,
    description: 'a Linux TAP of its own, whose XDP program in the kernel counts and drops',
    supports: { inPlace: true, xdp: false, privileged: true, receives: true },
    create: () => TapEnd.open(),
  }),
  defineBackend({
    name: 'af-xdp',
    apiVersion: BACKEND_API_VERSION,
    description: 'an AF_XDP socket in copy mode on a veth pair of its own; counted at the other end',
    supports: { inPlace: false, xdp: false, privileged: true, receives: true },
    create: () => AfXdpEnd.open(),
  }),
]

/** Drivers that a backend can be measured with, where not with all: the driver has to take frames back, or to wait. */
const DRIVERS_OF: Readonly<Record<string, readonly DriverName[]>> = {
  loopback: ['testpmd'],
  tap: ['inproc', 'testpmd'],
  'af-xdp': ['testpmd'],
}

/** Drivers that `backend` can be measured with; null: all. */
export function driversOf(backend: string): readonly DriverName[] | null {
  return DRIVERS_OF[backend] ?? null
}

/** Bytes of the longest frame that a backend takes: the MTU of 1500, an Ethernet header and a VLAN tag; null: any. */
export function frameLimitOf(backend: string): number | null {
  return backend === 'tap' || backend === 'af-xdp' ? 1518 : null
}
