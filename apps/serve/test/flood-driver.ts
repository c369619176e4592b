import { TestDriver } from './test-driver.ts'

/**
 * A driver in a process of its own that sends as fast as the daemon takes frames, until it is killed:
 * `node flood-driver.mjs SOCKET`. Starts in a fraction of the time that DPDK needs.
 */
const driver = new TestDriver(process.argv[2]!)
for (;;) driver.flood()
