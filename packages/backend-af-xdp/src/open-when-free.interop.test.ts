import { expect, test } from 'vitest'
import { describeVeth } from '../test/veth-rig.ts'
import { AfXdpInterface, AfXdpQueue } from './index.ts'

describeVeth('what is in use', ({ keep, link }) => {
  test('an interface whose program is taken off meanwhile is waited for', () => {
    link()
    const first = AfXdpInterface.open({ name: 'xskA' })
    let told = 0
    const onBusy = (): void => {
      told++
      first.close()
    }
    keep(AfXdpInterface.open({ name: 'xskA', onBusy }))
    expect(told).toBe(1)
  })

  test('a queue whose socket is closed meanwhile is waited for, and opened again at once any number of times', () => {
    link()
    const port = keep(AfXdpInterface.open({ name: 'xskA' }))
    const first = new AfXdpQueue(port.handle(0))
    let told = 0
    const onBusy = (): void => {
      told++
      first.close()
    }
    keep(new AfXdpQueue(port.handle(0), { onBusy })).close()
    expect(told).toBe(1)
    for (let i = 0; i < 10; i++) new AfXdpQueue(port.handle(0)).close()
  })
})
