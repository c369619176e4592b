import { featureSet, VHOST_F_LOG_ALL } from '@vring/layout'
import { describe, expect, test } from 'vitest'
import { SessionPair } from '../../test/session-pair.ts'

describe('the session of a backend', () => {
  test('a log takes the writes when LOG_ALL is on, at once when it is switched while rings run', () => {
    const pair = new SessionPair().negotiate().start(0)
    expect(pair.send('SET_LOG_BASE', { size: 4096, offset: 0 }, [pair.host.file('memory')])).toEqual([
      'SET_LOG_BASE reply',
    ])
    const { dirtyLog } = pair.session.memory
    const beyond = 4096 * 8 * 4096
    expect(dirtyLog.write(beyond, 1)).toBe(0)
    pair.send('SET_FEATURES', pair.session.features | featureSet(VHOST_F_LOG_ALL))
    expect(dirtyLog.write(beyond, 1)).toBeLessThan(0)
    expect(pair.session.activeQueues).toEqual([0])
    pair.frontend.close()
    pair.session.poll()
    expect(dirtyLog.write(beyond, 1)).toBe(0)
    expect(pair.leaks()).toEqual([])
  })
})
