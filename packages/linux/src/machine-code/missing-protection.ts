import { unsupportedHost } from '../libc.ts'
import { unguardedHost } from '../memory/memory-guard.ts'
import { CLOSE_CHILD_CODE } from './close-child-code.ts'
import { MachineCode } from './machine-code.ts'

/**
 * What a process that takes memory and descriptors of others has to do without on this host, as one line for people;
 * null: nothing. Both protections are machine code: `MemoryGuard`, and the child process of `closeReceived`.
 *
 * @param arch of the host, as `process.arch` names it
 */
export function missingProtection(arch: string = process.arch): string | null {
  if (unsupportedHost() !== null) return null
  const unguarded = unguardedHost(arch)
  const code = CLOSE_CHILD_CODE[arch]
  if (unguarded !== null || code === undefined)
    return `${unguarded ?? `no closing child for ${arch}`}: a page that is lost under a mapping ends this process (take sealed memory only), and a descriptor whose close(2) waits holds its thread`
  try {
    MachineCode.of(code, arch).unmap()
    return null
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return `no executable memory (${why}): guarded memory is refused, and a descriptor whose close(2) waits holds its thread`
  }
}
