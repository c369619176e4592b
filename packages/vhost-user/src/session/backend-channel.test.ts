import { isVringError } from '@vring/layout'
import { UnixSocket, unsupportedHost } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { linuxHost } from '../host/linux-host.ts'
import { BackendChannel } from './backend-channel.ts'

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`the socket of misses${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('a frontend that does not read it is not waited for', () => {
    const [frontend, device] = UnixSocket.pair()
    const channel = new BackendChannel(linuxHost.transport(device.fd))
    let misses = 0
    let failure: unknown = null
    while (failure === null) {
      try {
        channel.iotlbMiss(0x1000 * misses, 1)
        misses++
      } catch (error) {
        failure = error
      }
    }
    expect(isVringError(failure) && failure.value).toBe('ETIMEDOUT')
    expect(misses).toBeGreaterThan(100)
    channel.close()
    frontend.close()
  })
})
