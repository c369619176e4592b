import { createRegistry } from '@vring/registry'
import { expect, test } from 'vitest'
import { Captures } from '../datapath/captures.ts'
import { createDatapath } from '../datapath/datapath.ts'
import { ServedDevice } from './served-device.ts'

test('an MTU that does not fit through the device is refused', async () => {
  const accessor = createRegistry().accessor('vmap-direct')
  const drop = await createDatapath(
    { kind: 'drop', program: null },
    1,
    [0],
    () => {},
    () => {},
    createRegistry(),
  )
  const captures = new Captures(drop.pairs, () => {})
  new ServedDevice({ accessor, datapath: drop, features: 0n, captures }).setMtu(65535)
  const device = new ServedDevice({ accessor, datapath: { ...drop, mtu: () => 1500 }, features: 0n, captures })
  device.setMtu(1500)
  expect(() => device.setMtu(1501)).toThrow('mtu is 1501; accepted: at most 1500, the MTU of the device')
})
