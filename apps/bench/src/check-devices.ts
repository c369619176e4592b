import { usageError } from './bench-error.ts'
import { BASELINE, type CellSpec } from './cell-spec.ts'
import { readInput } from './input/recorded-input.ts'
import { isPeerOf, type PeerName } from './peers/peer-names.ts'
import { checkPrivileges } from './system/privileges.ts'
import { driversOf, frameLimitOf } from './system/system-backends.ts'

/** What each peer is measured with, as arguments. */
const PEER_NEEDS: Readonly<Record<PeerName, string>> = { dpdk: '--driver testpmd', 'io-uring': '--backend tap' }

/**
 * Refuses cells whose driver and backend do not go together, peers that have nothing to be compared with, and devices that
 * this process may not make: before anything is started.
 *
 * @throws BenchError with exit code 2, or 4 for a privilege
 */
export function checkDevices(specs: readonly CellSpec[], peers: readonly PeerName[]): void {
  for (const { backend, driver, frameBytes, input, accessor, id } of specs) {
    if (input !== null && accessor === BASELINE)
      throw usageError('--accessor', `${id}: the floor makes its own frames; accepted with --input: an accessor`)
    const drivers = driversOf(backend)
    if (drivers !== null && !drivers.includes(driver))
      throw usageError(
        '--backend',
        `${backend} is not measured with the driver ${driver}; accepted: ${drivers.map((name) => `--driver ${name}`).join(' or ')}`,
      )
    const limit = frameLimitOf(backend)
    if (limit !== null) {
      const longest = input === null ? frameBytes : readInput(input).longestBytes
      const argument = input === null ? '--frame-bytes' : '--input'
      if (longest > limit)
        throw usageError(argument, `${longest} bytes do not fit the MTU of ${backend}; accepted: up to ${limit}`)
    }
    if (drivers !== null && accessor === BASELINE)
      throw usageError('--accessor', `${id}: the floor has no ${backend}; accepted: an accessor`)
  }
  for (const peer of peers)
    if (!specs.some((spec) => isPeerOf(peer, spec)))
      throw usageError('--peer', `${peer} has no cell to be compared with; accepted: ${PEER_NEEDS[peer]}`)
  checkPrivileges([...new Set(specs.map(({ backend }) => backend))])
}
