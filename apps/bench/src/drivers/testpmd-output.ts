import { negotiatedNames } from '../results/negotiated.ts'

/** `22.11.5` of EAL's greeting, or `unknown`. */
export function parseDpdkVersion(output: string): string {
  return /RTE Version: 'DPDK ([^']+)'/.exec(output)?.[1] ?? 'unknown'
}

/** Names of the features that net_vhost says it negotiated last; null: it did not say. */
export function parseNegotiated(output: string): string[] | null {
  const last = [...output.matchAll(/negotiated Virtio features: (0x[0-9a-f]+)/g)].at(-1)
  return last === undefined ? null : negotiatedNames(BigInt(last[1]!))
}
