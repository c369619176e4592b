import { readFileSync } from 'node:fs'
import { processResources, unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { FrontendMemory } from './frontend-memory.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`memory of a frontend${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const held = () => [
    processResources().openFds,
    readFileSync('/proc/self/maps', 'utf8').split('vring-frontend').length - 1,
  ]

  test('is mapped until it is closed, once', () => {
    const before = held()
    const memory = new FrontendMemory({ bytes: 8192 })
    expect(held()).toEqual(before.map((count) => count + 1))
    memory.close()
    memory.close()
    expect(held()).toEqual(before)
  })

  test('at an address that can’t be leaves nothing mapped', () => {
    const before = held()
    expect(() => new FrontendMemory({ bytes: 8192, userAddress: -4096 })).toThrow('address')
    expect(held()).toEqual(before)
  })
})
