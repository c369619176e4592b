import type { Refusal } from '@vring/vhost-user'

/** What people are told of a request that was refused; null: its session ended with it, which is told then. */
export function refusalLine({ request, error, ends }: Refusal): string | null {
  if (ends === 'session') return null
  const then = ends === 'ring' ? 'its ring does not run until it is set up again' : 'the driver was told'
  return `refused ${request ?? 'an unknown request'}: ${error.message}; ${then}`
}
