import type { AccessorContext } from '@vring/accessor'
import { AREAS } from '@vring/layout'
import { createWorld, type World } from '@vring/testkit'
import { type About, about, accessOf } from '../about.ts'
import { type ConformanceCase, check, checkEqual, type Subject } from '../conformance-case.ts'
import { DelegatingCpu, mutatePlugin } from '../mutants/mutant.ts'
import { watchBigInts } from '../watch-big-ints.ts'
import { forEachAccess } from './accesses.ts'

/** What accesses and rounds may not do: use BigInt, keep a lock, keep anything else. */
export const dataPlaneCases: readonly ConformanceCase[] = [
  {
    suite: 'data plane',
    title: 'no access and no round uses BigInt',
    run(subject) {
      const world = createWorld(subject)
      const { accessor } = world
      const expectNone = (what: string | About, run: () => void): void => {
        const used = watchBigInts(run)
        check(used === null, about`${what}: found a use of ${used}, expected numbers only`)
      }
      for (let round = 0; round < 2; round++) {
        expectNone('beginRound', () => accessor.beginRound())
        forEachAccess((access, area) => expectNone(accessOf(area, access.name, 0), () => access.run(accessor[area], 0)))
        expectNone('endRound', () => accessor.endRound())
      }
    },
  },
  {
    suite: 'data plane',
    title: 'every lock that an access or a round takes is released, also after a fault',
    run(subject) {
      const { world, cpu } = lockedWorld(subject)
      const { accessor } = world
      for (const mapped of [true, false]) {
        if (!mapped) for (const area of AREAS) world.unmap(area)
        accessor.beginRound()
        forEachAccess((access, area) => {
          // The first access of a round may take a lock for the rest of it.
          access.run(accessor[area], 0)
          const held = cpu.held
          access.run(accessor[area], 0)
          checkEqual(cpu.held - held, 0, about`locks that ${accessOf(area, access.name, 0)} leaves held`)
        })
        accessor.endRound()
        checkEqual(cpu.held, 0, 'locks held after endRound')
      }
      accessor.close()
      checkEqual(cpu.held, 0, 'locks held after close')
    },
  },
  {
    suite: 'data plane',
    title: 'the same traffic, faults and invalidations again leave no more listeners, mappings and frames in use',
    run(subject) {
      const world = createWorld(subject)
      disturb(world)
      const first = holdings(world)
      for (let i = 0; i < 10; i++) disturb(world)
      checkEqual(holdings(world), first, 'in use after ten more times')
    },
  },
]

/** A round with every access in each state of memory: there, moved, gone. */
function disturb(world: World): void {
  const { accessor } = world
  const everyAccess = (): void => world.round(() => forEachAccess((access, area) => void access.run(accessor[area], 0)))
  everyAccess()
  for (const area of AREAS) world.migrate(area)
  everyAccess()
  for (const area of AREAS) world.unmap(area)
  everyAccess()
  for (const area of AREAS) world.mapAgain(area)
  everyAccess()
}

function holdings(world: World): Readonly<Record<'listeners' | 'mappings' | 'frames', number>> {
  return {
    listeners: world.listeners(),
    mappings: world.liveMappings(),
    frames: world.space.physical.freeFrames,
  }
}

class LockCountingCpu extends DelegatingCpu {
  held = 0

  override lock(): void {
    this.held++
    super.lock()
  }

  override unlock(): void {
    this.held--
    super.unlock()
  }
}

function lockedWorld(subject: Subject): { readonly world: World; readonly cpu: LockCountingCpu } {
  let cpu: LockCountingCpu | null = null
  const context = (given: AccessorContext): AccessorContext => {
    cpu = new LockCountingCpu(given.cpu)
    return { ...given, cpu }
  }
  const world = createWorld({ ...subject, plugin: mutatePlugin(subject.plugin, { context }) })
  return { world, cpu: cpu! }
}
