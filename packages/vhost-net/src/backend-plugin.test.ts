import { describe, expect, test } from 'vitest'
import { type BackendDefinition, defineBackend, isBackendPlugin } from './backend-plugin.ts'
import { DropBackend } from './drop-backend.ts'
import { LoopbackBackend } from './loopback-backend.ts'

const definition: BackendDefinition = {
  name: 'mine',
  apiVersion: 1,
  description: 'a backend of a test',
  supports: { inPlace: true, xdp: false, privileged: false, receives: false },
  create: () => new DropBackend(),
}
const made = (create: () => unknown, receives = false): (() => unknown) => {
  const supports = { ...definition.supports, receives }
  const plugin = defineBackend({ ...definition, supports, create: create as BackendDefinition['create'] })
  return () => plugin.create()
}

describe('a backend plugin', () => {
  test('is branded and frozen, and hands its argument over', () => {
    let seen: string | null = null
    const plugin = defineBackend({
      ...definition,
      argument: 'FILE',
      create(argument) {
        seen = argument
        return new DropBackend()
      },
    })
    expect(isBackendPlugin(plugin)).toBe(true)
    expect(isBackendPlugin(definition)).toBe(false)
    expect(Object.isFrozen(plugin)).toBe(true)
    plugin.create('a.pcap')
    expect(seen).toBe('a.pcap')
    expect(() => defineBackend(definition).create('a.pcap')).toThrow('mine:a.pcap: accepted: mine, without more')
  })

  test.each<[string, Partial<Record<keyof BackendDefinition, unknown>>, RegExp]>([
    ['a name', { name: 'My Way' }, /name is My Way; accepted: lower-case words/],
    ['a version', { apiVersion: 0 }, /apiVersion is 0; accepted: a positive integer/],
    ['a description', { description: undefined }, /description is undefined/],
    ['create', { create: 1 }, /create is number; accepted: a function/],
    ['supports', { supports: { inPlace: true, xdp: true, privileged: true } }, /supports.receives is undefined/],
    ['supports at all', { supports: undefined }, /supports.inPlace is undefined/],
  ])('is refused without %s', (_, change, message) => {
    expect(() => defineBackend({ ...definition, ...change } as BackendDefinition)).toThrow(message)
  })

  test('names what create gives that is no backend', () => {
    expect(made(async () => new DropBackend())).toThrow(
      /backend "mine": create\(\) is a promise; accepted: a backend, at once/,
    )
    expect(made(() => undefined)).toThrow(/create\(\) is undefined; accepted: an object with transmit, flush, close/)
    expect(made(() => null)).toThrow(/create\(\) is null/)
    expect(made(() => ({ transmit() {}, flush() {} }))).toThrow(/create\(\)\.close is undefined; accepted: a function/)
    expect(made(() => ({ transmit() {}, flush() {}, close() {} }))).toThrow(/create\(\)\.counters is undefined/)
    expect(made(() => new DropBackend(), true)).toThrow(/create\(\)\.receive is undefined/)
    expect(made(() => new LoopbackBackend(), true)).not.toThrow()
  })
})
