/** Counters of `show port stats all`, of the first port. */
export interface PortStats {
  readonly rxPackets: number
  readonly txPackets: number
}

/** The last complete statistics block in testpmd's output, or null. */
export function parsePortStats(output: string): PortStats | null {
  const blocks = [...output.matchAll(/RX-packets: (\d+)[\s\S]*?TX-packets: (\d+)/g)]
  const last = blocks.at(-1)
  return last === undefined ? null : { rxPackets: Number(last[1]), txPackets: Number(last[2]) }
}

/** `22.11.5` of EAL's greeting, or `unknown`. */
export function parseDpdkVersion(output: string): string {
  return /RTE Version: 'DPDK ([^']+)'/.exec(output)?.[1] ?? 'unknown'
}
