import { refused } from '@vring/layout'
import { FLAG_REPLY } from './header.ts'
import type { MessageSpec, RequestName } from './messages.ts'

/**
 * Is a message what the table says of its request?
 *
 * @param bytes of its payload
 * @param fds how many descriptors came with it
 * @throws VringError ERR_PROTOCOL
 */
export function checkRequest(
  name: RequestName,
  {
    request,
    fds: policy,
  }: Pick<MessageSpec<never, never>, 'fds'> & { readonly request: { readonly bytes: readonly [number, number] } },
  flags: number,
  bytes: number,
  fds: number,
): void {
  if ((flags & FLAG_REPLY) !== 0) throw refused('ERR_PROTOCOL', `${name} flags`, flags, 'a request, not a reply')
  const [least, most] = request.bytes
  if (bytes < least || bytes > most) throw refused('ERR_PROTOCOL', `${name} payload size`, bytes, range(least, most))
  const [fdsLeast, fdsMost] = policy
  if (fds < fdsLeast || fds > fdsMost)
    throw refused('ERR_PROTOCOL', `${name} descriptors`, fds, range(fdsLeast, fdsMost))
}

function range(least: number, most: number): string {
  return least === most ? String(least) : `${least} to ${most}`
}
