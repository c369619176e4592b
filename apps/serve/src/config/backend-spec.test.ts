import { describe, expect, test } from 'vitest'
import { type BackendSpec, formatBackend, parseBackend } from './backend-spec.ts'
import { parseCapture } from './capture-spec.ts'

describe('--backend', () => {
  test.each([
    ['drop', { kind: 'drop' }],
    ['loopback', { kind: 'loopback' }],
    ['tap:vring0', { kind: 'tap', name: 'vring0' }],
    ['pcap:/tmp/a:b.pcapng', { kind: 'pcap', capture: parseCapture('--backend', '/tmp/a:b.pcapng') }],
    ['replay:a.pcapng', { kind: 'replay', path: 'a.pcapng' }],
    ['af-xdp:eth0:3', { kind: 'af-xdp', interface: 'eth0', queue: 3 }],
  ] as [string, BackendSpec][])('%s names a backend, and is named so again', (text, spec) => {
    expect(parseBackend(text)).toEqual(spec)
    expect(formatBackend(spec)).toBe(text)
  })

  test('a backend of a plugin is named like a built-in one, with what its create is given', () => {
    expect(parseBackend('echo', ['echo'])).toEqual({ kind: 'plugin', name: 'echo', argument: null })
    expect(parseBackend('echo:a:b', ['echo'])).toEqual({ kind: 'plugin', name: 'echo', argument: 'a:b' })
    expect(formatBackend({ kind: 'plugin', name: 'echo', argument: 'a:b' })).toBe('echo:a:b')
    expect(() => parseBackend('ecko', ['echo'])).toThrow(/accepted: drop, .*, echo; did you mean echo\?/)
  })

  test('af-xdp begins with queue 0 unless told otherwise', () => {
    expect(parseBackend('af-xdp:eth0')).toEqual({ kind: 'af-xdp', interface: 'eth0', queue: 0 })
  })

  test.each([
    ['lopback', 'is unknown; accepted: drop, loopback, tap:NAME, .*; did you mean loopback\\?'],
    ['taps:x', 'is unknown; .*; did you mean tap:NAME\\?'],
    ['', 'is unknown; accepted: [^;]*$'],
    ['drop:1', 'takes nothing after its name; accepted: drop'],
    ['tap', 'names no interface; accepted: tap:NAME'],
    ['tap:', 'names no interface'],
    ['tap:sixteen-letters-', 'names no interface'],
    ['tap:a/b', 'names no interface'],
    ['pcap:a,dir=rx', 'takes no pair and no dir'],
    ['pcap:', 'names no file; accepted: pcap:FILE'],
    ['replay', 'names no file; accepted: replay:FILE'],
    ['af-xdp:', 'is no interface and queue'],
    ['af-xdp:eth0:x', 'is no interface and queue'],
    ['af-xdp:eth0:1:2', 'is no interface and queue'],
  ])('%j is refused', (text, message) => {
    expect(() => parseBackend(text)).toThrow(new RegExp(`^--backend: ${JSON.stringify(text)} ${message}`))
  })
})
