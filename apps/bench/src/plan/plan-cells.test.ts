import { createRegistry } from '@vring/registry'
import { describe, expect, it } from 'vitest'
import { readArguments } from '../arguments.ts'
import { groupsOf } from '../cell/cell-groups.ts'
import { type CellSpec, cellLabel } from '../cell/cell-spec.ts'
import { run } from '../commands/run.ts'
import { sweepValue } from '../results/sweep-value.ts'
import { planCells } from './plan-cells.ts'
import { shardOf } from './shard.ts'

const registry = createRegistry()
const plan = (...args: string[]): CellSpec[] => planCells(readArguments(run.args, args), registry)
const accessors = (specs: readonly CellSpec[]): string[] => [...new Set(specs.map(({ accessor }) => accessor))]

describe('cells of a run', () => {
  it('are every accessor and the floor, in the seed’s experiment, where nothing is asked for', () => {
    const specs = plan()
    const names = registry.accessors.map(({ name }) => name)
    expect(accessors(specs)).toEqual([...names.reverse(), 'baseline'])
    expect(new Set(specs.map(({ id }) => id.slice(id.indexOf('/'))))).toEqual(
      new Set(['/split/inproc/xdp1/64B/q256/b64']),
    )
    expect(specs.map(({ id }) => cellLabel(id))).toContain('vmap-direct:mapping=vmap:sync=mutex')
  })

  it('a sweep of frame lengths has the mix as one of its steps', () => {
    const specs = plan('--accessor', 'copy-checked', '--sweep', 'frame-bytes=64,256,imix')
    expect(specs.map(({ frameBytes }) => frameBytes)).toEqual([64, 256, 0])
    expect(specs.map((spec) => sweepValue(spec, 'frame-bytes'))).toEqual([64, 256, 'imix'])
    expect(specs.at(-1)!.id).toBe('copy-checked/split/inproc/xdp1/imix/q256/b64')
  })

  it('are of every ring format that is listed, with a floor each, and in order when asked', () => {
    const specs = plan('--ring', 'split,packed', '--in-order')
    expect(specs.filter(({ accessor }) => accessor === 'baseline').map(({ id }) => id)).toEqual([
      'baseline/split/inproc/xdp1/64B/q256/b64/inOrder=true',
      'baseline/packed/inproc/xdp1/64B/q256/b64/inOrder=true',
    ])
    // They run in turn, and stay together when a run is shared out.
    expect(groupsOf(specs)).toEqual([specs])
    expect(shardOf(specs, { part: 2, of: 2 })).toEqual([])
  })

  it('of a ring, an order, a build or a barrier run in turn; of another batch they do not', () => {
    const groups = (...args: string[]): number => groupsOf(plan('--accessor', 'copy-checked', ...args)).length
    expect(groups('--sweep', 'hooks=0,1')).toBe(1)
    expect(groups('--sweep', 'barrier=0,1', '--ring', 'split,packed')).toBe(1)
    expect(groups('--sweep', 'in-order=0,1')).toBe(1)
    expect(groups('--sweep', 'batch=1,64')).toBe(2)
  })

  it('two sweeps are every combination of their values', () => {
    const specs = plan('--accessor', 'copy-checked', '--sweep', 'batch=1,64', '--sweep', 'indirect=0,1')
    expect(specs.map(({ batch, indirect }) => [batch, indirect])).toEqual([
      [1, false],
      [1, true],
      [64, false],
      [64, true],
    ])
  })

  it('leave accessors out that a swept key changes nothing for', () => {
    expect(accessors(plan('--sweep', 'iotlb-entries=4,64'))).toEqual(['iotlb-translated'])
    const regions = accessors(plan('--sweep', 'regions=1,64'))
    expect(regions).toEqual(expect.arrayContaining(['copy-checked', 'nospec-masked', 'vmap-direct']))
    expect(regions).not.toContain('iotlb-translated')
    expect(accessors(plan('--driver', 'testpmd'))).not.toContain('iotlb-translated')
  })

  it('are dealt out to shards by whole groups, each to one', () => {
    const specs = plan('--sweep', 'queue-size=64,256,1024')
    const parts = [1, 2].map((part) => shardOf(specs, { part, of: 2 }))
    expect(
      parts
        .flat()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(specs.map(({ id }) => id).sort())
    const sizes = parts.map((part) => new Set(part.map(({ queueSize }) => queueSize)))
    expect(sizes.map(({ size }) => size)).toEqual([2, 1])
    expect(shardOf(specs, { part: 9, of: 9 })).toEqual([])
  })
})
