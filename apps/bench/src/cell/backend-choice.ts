import type { Registry } from '@vring/registry'
import type { BackendPlugin } from '@vring/vhost-net'
import { oneOf } from '../arguments.ts'
import { usageError } from '../bench-error.ts'

/** `NAME` or `NAME:TEXT`: which backend, and what a plugin makes it from. */
export interface BackendChoice {
  readonly name: string
  /** What stands after the first colon, or null. */
  readonly argument: string | null
}

/** Reads `NAME` or `NAME:TEXT`; says nothing of whether there is such a backend. */
export function backendChoice(text: string): BackendChoice {
  const colon = text.indexOf(':')
  return colon < 0 ? { name: text, argument: null } : { name: text.slice(0, colon), argument: text.slice(colon + 1) }
}

/**
 * Checks what `--backend` names.
 *
 * @throws BenchError with exit code 2 for an unknown name, or a text for a backend that takes none
 */
export function checkBackend(text: string, backends: readonly BackendPlugin[]): void {
  const { name, argument } = backendChoice(text)
  oneOf(
    '--backend',
    name,
    backends.map((one) => one.name),
  )
  if (argument !== null && backends.find((one) => one.name === name)!.argument === undefined)
    throw usageError('--backend', `${text}: accepted: ${name}, without more`)
}

/** A backend of its own for one device, from `NAME` or `NAME:TEXT`. */
export function createBackend(registry: Registry, text: string): ReturnType<BackendPlugin['create']> {
  const { name, argument } = backendChoice(text)
  return registry.backend(name).create(argument)
}
