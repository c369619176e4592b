import { TestDriver } from './test-driver.ts'

/*
 * Drivers for what README has its reader type: a frame goes from the first to the second, or leaves the only one.
 *   node --import tsx --conditions=@vring/source apps/serve/test/readme-driver.ts SOCKET [SOCKET]
 */
const FRAME = new Uint8Array(60).fill(0xff, 0, 12)
// Local experimental EtherType 1 (IEEE 802).
FRAME.set([2, 0, 0, 0, 0, 9, 0x88, 0xb5], 6)
const drivers = process.argv.slice(2).map((path) => new TestDriver(path))
const isFrame = (frame: Uint8Array): boolean => frame[12] === 0x88 && frame[13] === 0xb5
for (;;) {
  drivers[0]!.send([FRAME])
  await new Promise((resolve) => setTimeout(resolve, 100))
  if (drivers.length === 1 ? drivers[0]!.sent() > 0 : drivers[1]!.receive().some(isFrame)) break
}
for (const driver of drivers) driver.close()
