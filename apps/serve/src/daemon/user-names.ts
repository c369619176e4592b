import { readFileSync } from 'node:fs'
import { usageError } from '../serve-error.ts'

/** A user of /etc/passwd. */
export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * A user by name or number; a number needs no entry.
 *
 * @throws ServeError naming the argument
 */
export function systemUser(argument: string, given: string): SystemUser {
  const entry = entries('/etc/passwd').find(([name, , uid]) => name === given || uid === given)
  if (entry !== undefined) return { name: entry[0]!, uid: Number(entry[2]), gid: Number(entry[3]) }
  if (/^\d{1,10}$/.test(given)) return { name: given, uid: Number(given), gid: Number(given) }
  throw usageError(
    argument,
    `${JSON.stringify(given)} is no user of this system; accepted: a name of /etc/passwd, or a number`,
  )
}

/**
 * A group by name or number.
 *
 * @throws ServeError naming the argument
 */
export function groupId(argument: string, given: string): number {
  const entry = entries('/etc/group').find(([name]) => name === given)
  if (entry !== undefined) return Number(entry[2])
  if (/^\d{1,10}$/.test(given)) return Number(given)
  throw usageError(
    argument,
    `${JSON.stringify(given)} is no group of this system; accepted: a name of /etc/group, or a number`,
  )
}

/** Goes on as this user, in all threads. What is open stays open. */
export function becomeUser({ name, uid, gid }: SystemUser): void {
  const groups = entries('/etc/group')
    .filter(([, , , members = '']) => members.split(',').includes(name))
    .map(([, , id]) => Number(id))
  process.setgroups!([gid, ...groups])
  process.setgid!(gid)
  process.setuid!(uid)
}

function entries(path: string): string[][] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'))
}
