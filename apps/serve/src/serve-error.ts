import { CliError, EXIT_INTERNAL, EXIT_MISSING, EXIT_TEMPORARY, EXIT_USAGE, usageError } from '@vring/cli/errors'
import { isVringError } from '@vring/layout'
import { systemErrnoOf } from '@vring/linux'

/** Ends the daemon with one line on standard error and an exit code. */
export { CliError as ServeError, usageError }

/** Exit codes by what the system refused with; others are internal errors. */
const BY_ERRNO: Readonly<Record<string, readonly [exitCode: number, remedy: string]>> = {
  EPERM: [EXIT_MISSING, 'needs root, or CAP_NET_ADMIN, CAP_BPF for programs, CAP_NET_RAW for af-xdp'],
  EACCES: [EXIT_MISSING, 'needs permission'],
  ENODEV: [EXIT_MISSING, 'no such device'],
  ENOENT: [EXIT_MISSING, 'not there'],
  ENXIO: [EXIT_MISSING, 'no such device'],
  EEXIST: [EXIT_USAGE, 'there already'],
  EBUSY: [EXIT_TEMPORARY, 'in use'],
  EINVAL: [EXIT_USAGE, 'not possible here'],
  EOPNOTSUPP: [EXIT_USAGE, 'not possible here'],
  EADDRINUSE: [EXIT_TEMPORARY, 'in use'],
  EMFILE: [EXIT_TEMPORARY, 'out of file descriptors'],
  ENFILE: [EXIT_TEMPORARY, 'out of file descriptors'],
  ENOBUFS: [EXIT_MISSING, 'more than this process may have'],
  ENOMEM: [EXIT_TEMPORARY, 'out of memory'],
  ENOSPC: [EXIT_TEMPORARY, 'no room left'],
  EDQUOT: [EXIT_TEMPORARY, 'the quota is used up'],
  ENOTFOUND: [EXIT_MISSING, 'no host of this name'],
  EAI_AGAIN: [EXIT_TEMPORARY, 'names of hosts are not answered now'],
  EADDRNOTAVAIL: [EXIT_USAGE, 'not an address of this machine'],
  EISDIR: [EXIT_USAGE, 'a directory'],
  ENOTDIR: [EXIT_USAGE, 'not a directory'],
}

/** What people asked for was refused, wherever that was found. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'ERR_UNKNOWN_NAME',
  'ERR_UNSUPPORTED',
  'ERR_OUT_OF_RANGE',
  'ERR_INVALID_ARGUMENT',
  'ERR_INVALID_PLUGIN',
])

/**
 * An error of a step of starting, with the exit code that tells its kind.
 *
 * @param argument the argument that asked for it: `--backend tap:vring0`
 */
export function startError(argument: string, error: unknown): CliError {
  if (error instanceof CliError) return error
  const message = messageOf(error)
  const known = BY_ERRNO[systemErrnoOf(error) ?? ''] ?? BY_ERRNO[errnoOf(error) ?? '']
  if (known !== undefined) return new CliError(known[0], `${argument}: ${message}; ${known[1]}`, error)
  if (isVringError(error) && error.code === 'ERR_MISSING_PEER')
    return new CliError(EXIT_MISSING, `${argument}: ${message}`, error)
  if (isVringError(error) && USAGE_CODES.has(error.code)) return new CliError(EXIT_USAGE, `${argument}: ${message}`)
  return new CliError(EXIT_INTERNAL, `${argument}: ${message}`, error)
}

/** Does a step of starting; its error says which argument asked for it. */
export function attempt<T>(argument: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw startError(argument, error)
  }
}

/** `open: ENOENT (FILE)`, as errors of system calls of vring's own are. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, syscall, path, hostname = path } = error as NodeJS.ErrnoException & { readonly hostname?: string }
  if (code === undefined || syscall === undefined) return error.message
  return `${syscall}: ${code}${hostname === undefined ? '' : ` (${hostname})`}`
}

/** `ENOENT` of an error of Node's own, also as the cause of another. */
function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code } = error as NodeJS.ErrnoException
  if (typeof code === 'string' && /^E[A-Z0-9_]+$/.test(code)) return code
  return error.cause === undefined ? null : errnoOf(error.cause)
}
