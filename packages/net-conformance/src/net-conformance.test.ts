import { DropBackend, defineBackend, LoopbackBackend } from '@vring/vhost-net'
import { describe, expect, it } from 'vitest'
import { NET_MUTANTS, netKillTable, wireSubject } from './mutants.ts'
import { NET_CASES, netConformance, runNetConformance } from './net-conformance.ts'

const drop = defineBackend({
  name: 'drop',
  apiVersion: 1,
  description: 'drops',
  supports: { inPlace: true, xdp: false, privileged: false, receives: false },
  create: () => new DropBackend(),
})

netConformance({ plugin: drop, create: () => drop.create() }, { describe, it })
netConformance(
  wireSubject('loopback', () => new LoopbackBackend()),
  { describe, it },
)

describe('the kit', () => {
  it.each(netKillTable().map((kill) => ({ ...kill, title: kill.mutant })))('kills: $title', ({ killed, failed }) => {
    expect(killed, `failed: ${failed.join('; ') || 'nothing'}`).toBe(true)
  })

  it('has a mutant for every case', () => {
    const killers = new Set(NET_MUTANTS.map(({ killedBy }) => killedBy))
    expect(NET_CASES.map(({ title }) => title).filter((title) => !killers.has(title))).toEqual([])
  })

  it('says method, expectation and what was found in one line, and takes what is thrown for a failure', () => {
    const subject = wireSubject('broken', () => Object.assign(new LoopbackBackend(), { transmit: () => 'all' }))
    for (const { failure } of runNetConformance(subject).filter(({ suite }) => suite === 'transmit'))
      expect(failure).toMatch(/^transmit: gives all; expected how many of \d+ frames it took$/)
  })
})
