import { usageError } from '../bench-error.ts'
import { BASELINE, type CellSpec } from '../cell/cell-spec.ts'
import { BASELINE_BACKENDS } from '../in-process/baseline.ts'
import { readInput } from '../input/recorded-input.ts'
import { isPeerOf, type PeerName } from '../peers/peer-names.ts'
import { checkPrivileges } from '../system/privileges.ts'
import { driversOf, frameLimitOf } from '../system/system-backends.ts'

/** What each peer is measured with, as arguments. */
const PEER_NEEDS: Readonly<Record<PeerName, string>> = {
  dpdk: '--driver testpmd',
  'io-uring': '--backend tap',
  'io-uring-fixed': '--backend tap',
}

/**
 * Bytes of the longest frame that testpmd sends from one buffer. One that is longer, or no length, it refuses with a
 * line of its log, and sends 64 bytes.
 */
const TESTPMD_FRAME_BYTES = 2048

/**
 * Refuses cells whose driver and backend do not go together, peers that have nothing to be compared with, and devices
 * that this process may not make. It does so before anything is started.
 *
 * @throws BenchError with exit code 2, or 4 for a privilege
 */
export function checkDevices(specs: readonly CellSpec[], peers: readonly PeerName[]): void {
  for (const spec of specs) {
    const { backend, driver, frameBytes, input, accessor, iotlb, id } = spec
    if (accessor === BASELINE) checkFloor(spec)
    if (driver === 'testpmd' && iotlb)
      throw usageError('--accessor', `${id}: testpmd has no device IOTLB; accepted: an accessor that works without one`)
    if (driver === 'testpmd' && (frameBytes === 0 || frameBytes > TESTPMD_FRAME_BYTES))
      throw usageError(
        '--frame-bytes',
        `${id}: testpmd sends frames of one length; accepted: up to ${TESTPMD_FRAME_BYTES} bytes, without imix`,
      )
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
  }
  for (const peer of peers)
    if (!specs.some((spec) => isPeerOf(peer, spec)))
      throw usageError('--peer', `${peer} has no cell to be compared with; accepted: ${PEER_NEEDS[peer]}`)
  checkPrivileges([...new Set(specs.map(({ backend }) => backend))])
}

/** The floor is a loop over memory of its own, driver and device in one thread. */
function checkFloor({ id, input, driver, backend }: CellSpec): void {
  const refuse = (problem: string, accepted: string): never => {
    throw usageError('--accessor', `${id}: the floor ${problem}; accepted: an accessor, or ${accepted}`)
  }
  if (input !== null) refuse('makes its own frames', 'no --input')
  if (!BASELINE_BACKENDS.includes(backend)) refuse(`has no ${backend}`, `--backend ${BASELINE_BACKENDS.join(',')}`)
  if (driver !== 'inproc') refuse(`has no driver ${driver}`, '--driver inproc')
}
