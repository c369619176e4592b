import { CountingXdp, LinuxTap } from '@vring/backend-tap/linux'
import { attachXdp, setLink, unshareNetwork, unsupportedHost } from '@vring/linux'
import { XDP_PASS } from '@vring/xdp'
import { beforeAll, describe, expect, test } from 'vitest'
import { LinkWatch } from './link-watch.ts'

const isRoot = process.getuid?.() === 0
const reason = unsupportedHost() ?? (isRoot ? null : 'needs root')

describe.skipIf(reason !== null)(
  `an interface that is followed${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    beforeAll(() => unshareNetwork())

    test('that is down at first is said, and once that its XDP program was taken off', async () => {
      const tap = LinuxTap.open({ name: 'vringwatch' })
      const { ifindex, name } = tap
      const counting = new CountingXdp(XDP_PASS)
      const { id } = counting.program
      const attachment = attachXdp(counting.program, ifindex)
      setLink(ifindex, { up: false })
      const said: string[] = []
      const followed = { ifindex, name, followMtu: () => {}, whenMoved: '' }
      const watch = LinkWatch.start({ ...followed, program: { id, whenOff: 'so be it' } }, (line) => {
        said.push(line)
      })
      expect([watch.info()?.xdp.programId, watch.hasProgram]).toEqual([id, true])
      attachment.detach()
      for (let i = 0; i < 2; i++) expect(watch.info()?.xdp.mode).toBe('none')
      expect(watch.hasProgram).toBe(false)
      expect(said).toEqual([
        'vringwatch is down: its frames are dropped and counted as down',
        'the XDP program of vringwatch was taken off: so be it',
      ])
      await watch.close()
      tap.close()
      counting.close()
    })
  },
)
