import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { missingError } from '../bench-error.ts'

/** Capability numbers. Source: `<linux/capability.h>`. */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n } as const

/**
 * Refuses a run that could not make the devices of its backends, before anything is started.
 *
 * @throws BenchError with exit code 4 that names the capability, module or package
 */
export function checkPrivileges(backends: readonly string[]): void {
  const wanted = backends.filter((backend) => backend === 'tap' || backend === 'af-xdp')
  if (wanted.length === 0) return
  const held = effectiveCapabilities()
  for (const [name, bit] of Object.entries(CAPABILITIES))
    if (((held >> bit) & 1n) === 0n)
      throw missingError(name, `backend ${wanted[0]} makes a network namespace and a device in it; run as root`)
  if (wanted.includes('tap') && !existsSync('/dev/net/tun'))
    throw missingError('/dev/net/tun', 'load the module tun (modprobe tun)')
  if (wanted.includes('af-xdp') && findProgram('ip') === null)
    throw missingError('ip', 'install the Debian package iproute2 (apt-get install iproute2)')
}

/** Bits of CapEff of this process; 0 where there is no Linux. */
function effectiveCapabilities(): bigint {
  try {
    return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`)
  } catch {
    return 0n
  }
}

/** Path of a program, or null: looked for where PATH says, and where root's programs are. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null
}
