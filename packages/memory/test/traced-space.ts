import type { MmuNotifierRange } from '@vring/mmu-notifier'
import { PagedSpace, type PagedSpaceOptions } from '../src/paged/paged-space.ts'

export const PAGE = 4096

/** A space whose invalidations are written down: `event first..last pages of base`, and the frame at `probe` in between. */
export function traced(options: PagedSpaceOptions = { frames: 64 }) {
  const space = new PagedSpace(options)
  const log: string[] = []
  const trace = (base: number, probe = base): void => {
    const at = (): string => {
      const got = space.getUserPagesFast(probe, 1, false)
      return 'frames' in got ? `frame ${got.frames[0]}` : got.failure
    }
    const show = (range: MmuNotifierRange): string =>
      `${range.event}${range.blockable ? '' : ' non-blockable'} ${(range.start - base) / PAGE}..${(range.end - base) / PAGE}`
    space.notifiers.register({
      name: 'trace',
      invalidateRangeStart(range) {
        log.push(`start ${show(range)}: ${at()}`)
        return 0
      },
      invalidateRangeEnd(range) {
        log.push(`end ${show(range)}: ${at()}`)
      },
    })
  }
  return { space, log, trace }
}

export const byte = (space: PagedSpace, address: number): number => space.read(address, 1)[0]

export const frameAt = (space: PagedSpace, address: number): number => {
  const got = space.getUserPagesFast(address, 1, false)
  return 'frames' in got ? got.frames[0] : -1
}
