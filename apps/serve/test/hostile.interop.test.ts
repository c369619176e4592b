import { spawnSync } from 'node:child_process'
import { existsSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { closeFd, createMemfd, unshareNetwork } from '@vring/linux'
import { describe, expect, test } from 'vitest'
import { until } from './daemon-process.ts'
import { bigRing } from './hostile-attacks.ts'
import { HostileRig, hostileRigMissing, IOTLB, negotiated } from './hostile-rig.ts'
import { holdings } from './leftovers.ts'
import { buffersOf, GUEST, INDIRECT, NEED_REPLY, NEXT, REQUEST, USER, WRITE, words } from './raw-frontend.ts'
import { withoutIoUring } from './without-io-uring.ts'

/**
 * Each attack was made on the built daemon; none of them may keep another pair, the next driver, metrics or the end
 * waiting.
 */
describe.skipIf(hostileRigMissing !== null)(
  `a hostile driver${hostileRigMissing === null ? '' : ` (skipped: ${hostileRigMissing})`}`,
  () => {
    const rig = new HostileRig()

    test('a ring of 32768 entries whose chains are longer than they may be is broken, and other pairs go on', async () => {
      const daemon = await rig.serve()
      const driver = await rig.driver()
      await bigRing(driver, 0, 32_767)
      const [rx, tx] = [driver.rings[0]!, driver.rings[1]!]
      for (let i = 0; i < 250; i++) tx.descriptor(i, GUEST + buffersOf(1), 112)
      tx.offer(...Array.from({ length: 250 }, (_, i) => i))
      await rig.meanwhile(driver)
      expect(rx.error.drain()).toBe(true)
      expect(await daemon.metric('vring_broken_queues_total{reason="chain-too-long"}')).toBe(1)
      await rig.aftermath()
    })

    test('a guest of 512 GiB is served, with rings and frames in other parts of it', async () => {
      const daemon = await rig.serve({ args: ['--memory-max', '1T'] })
      const driver = await rig.connect({ bytes: 16 << 20 })
      // One file, shown at the places of 512 GiB that are used; and all of it, once.
      const all = createMemfd('all', 2 ** 39)
      const region = words(0, 0, BigInt(2 ** 40), BigInt(2 ** 39), BigInt(2 ** 44), 0n)
      await driver.start(4)
      expect(await driver.ask(REQUEST.ADD_MEM_REG, region, [all], NEED_REPLY)).toBe(0n)
      const rx = driver.rings[0]!
      const tx = driver.rings[1]!
      // Frames from 20 of its GiB, zeros all of them, into one buffer after the other.
      for (let i = 0; i < 20; i++) {
        rx.descriptor(i, 2 ** 40 + 2 ** 30 * (25 * i + 1), 2048, WRITE)
        tx.descriptor(i, 2 ** 40 + 2 ** 30 * (25 * i), 112)
      }
      rx.offer(...Array.from({ length: 20 }, (_, i) => i))
      tx.offer(...Array.from({ length: 20 }, (_, i) => i))
      await rig.meanwhile(driver, 500)
      await until('20 frames', () => rx.usedIdx === 20)
      expect(await daemon.metric('vring_driver_memory_bytes')).toBe(2 ** 39 + (16 << 20))
      closeFd(all)
      await rig.aftermath()
    })

    test('huge pages that are not there are refused; a full tmpfs ends the session that touches it', async () => {
      await rig.serve()
      const free = Number(/HugePages_Free: +(\d+)/.exec(spawnSync('cat', ['/proc/meminfo']).stdout.toString())![1])
      const driver = await rig.driver()
      const bytes = (free + 1) * 2 ** 21
      const huge = createMemfd('huge', bytes, { hugePages: '2M' })
      const region = (size: number): Uint8Array => words(0, 0, BigInt(2 ** 33), BigInt(size), BigInt(2 ** 46), 0n)
      expect(await driver.ask(REQUEST.ADD_MEM_REG, region(bytes), [huge], NEED_REPLY)).toBe(1n)
      closeFd(huge)
      await driver.echo(0, 1)
      const small = join(rig.folder, 'tmpfs')
      mkdirSync(small)
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status).toBe(0)
      try {
        writeFileSync(join(small, 'fill'), Buffer.alloc(60_000))
        const fd = openSync(join(small, 'memory'), 'w+')
        ftruncateSync(fd, 2 ** 21)
        expect(await driver.ask(REQUEST.ADD_MEM_REG, region(2 ** 21), [fd], NEED_REPLY)).toBe(0n)
        closeFd(fd)
        const [rx, tx] = [driver.rings[0]!, driver.rings[1]!]
        for (let i = 0; i < 8; i++) rx.descriptor(i, 2 ** 33 + 2 ** 17 * (i + 1), 2048, WRITE)
        rx.offer(0, 1, 2, 3, 4, 5, 6, 7)
        for (let i = 0; i < 8; i++) tx.descriptor(i, GUEST + buffersOf(1), 112)
        tx.offer(0, 1, 2, 3, 4, 5, 6, 7)
        await driver.hungUp()
      } finally {
        // Its last page goes with the daemon's mapping, which is gone.
        expect(spawnSync('umount', [small]).status).toBe(0)
      }
      await rig.aftermath()
    })

    test('devices, directories, sockets and files of a disk are no memory', async () => {
      const daemon = await rig.serve()
      const driver = await rig.driver()
      const region = words(0, 0, BigInt(2 ** 33), 4096n, BigInt(2 ** 46), 0n)
      const disk = join(rig.folder, 'file')
      writeFileSync(disk, Buffer.alloc(8192))
      for (const path of ['/dev/zero', '/dev/null', '/', '/proc/self/maps', disk, '/dev/loop0'].filter(existsSync)) {
        const fd = openSync(path, path === '/' || path.startsWith('/proc') ? 'r' : 'r+')
        expect(await driver.ask(REQUEST.ADD_MEM_REG, region, [fd], NEED_REPLY), path).toBe(1n)
        closeFd(fd)
      }
      expect(await driver.ask(REQUEST.ADD_MEM_REG, region, [driver.socket.fd], NEED_REPLY)).toBe(1n)
      await driver.echo(0, 1)
      expect(
        await daemon.metric('vring_refused_requests_total{request="ADD_MEM_REG",ends="answered"}'),
      ).toBeGreaterThan(4)
      await rig.aftermath()
    })

    test('a bad size or address of one ring breaks that ring, and a new set-up mends it', async () => {
      const daemon = await rig.serve()
      const driver = await rig.driver()
      for (const [size, move] of [
        [12, 0],
        [0, 0],
        [65_535, 0],
        [64, 1],
        [64, 8],
        [64, 2 ** 30],
      ] as const) {
        await driver.ask(REQUEST.GET_VRING_BASE, words(1, 0))
        const ring = driver.rings[1]!
        driver.send(REQUEST.SET_VRING_NUM, words(1, size))
        driver.sendAddress(1, ring, 0, USER + move)
        driver.send(REQUEST.SET_VRING_KICK, words(1n), [ring.kick.fd])
        await driver.echo(1, size & 0xff)
        expect(ring.error.drain()).toBe(true)
        await driver.ask(REQUEST.GET_VRING_BASE, words(1, 0))
        await driver.ask(REQUEST.GET_VRING_BASE, words(0, 0))
        // Before they start: a device that sees what the last ones were takes it.
        driver.u8.fill(0, 0x1_0000, 0x3_0000)
        for (const queue of [0, 1]) driver.startRing(queue, 256)
        await driver.echo(0, size & 0xff)
      }
      expect(await daemon.metric('vring_refused_requests_total{request="SET_VRING_NUM",ends="ring"}')).toBe(3)
      expect(await daemon.metric('vring_refused_requests_total{request="SET_VRING_ADDR",ends="ring"}')).toBe(3)
      await rig.aftermath()
    })

    test('an IOTLB: a chain over more pages than any other is served, page by page, and other pairs go on', async () => {
      const daemon = await rig.serve(IOTLB)
      const driver = await rig.connect(negotiated(IOTLB))
      const answers = driver.answerMisses()
      // Ring addresses are guest addresses now, as those of buffers are.
      await driver.start(4, { user: GUEST })
      await driver.echo(1, 1)
      const tx = driver.rings[1]!
      // Each descriptor lies in two pages, and no two in the same.
      const [table, buffers] = [0x30_0000, 0x60_0000]
      for (let i = 0; i < 1024; i++)
        tx.descriptor(i, GUEST + buffers + 8192 * i + 4096 - 31, 62, i < 1023 ? NEXT : 0, i + 1, table)
      tx.descriptor(0, GUEST + table, 16 * 1024, INDIRECT)
      tx.offer(0)
      await rig.meanwhile(driver)
      await until('the chain', () => tx.usedIdx === 1, 120_000)
      console.log(`${answers.pages.size} pages, ${answers.count} questions`)
      expect(answers.pages.size).toBeGreaterThan(2048)
      answers.stop()
      expect(await daemon.end('SIGTERM')).toBe(0)
    })

    test('what waits for a driver that resets its device is not the next one’s', async () => {
      await rig.serve()
      const driver = await rig.driver()
      const tx = driver.rings[1]!
      tx.descriptor(0, GUEST + buffersOf(1), 112)
      tx.offer(0)
      await until('the frame to wait', () => tx.usedIdx === 1)
      driver.send(REQUEST.SET_STATUS, words(0n))
      driver.u8.fill(0, 0x1_0000, 0x5_0000)
      await driver.start(4)
      await driver.echo(0, 7)
      await rig.aftermath()
    })

    test('a thousand drivers come and go, as they should and not: nothing of them is left', async () => {
      const daemon = await rig.serve()
      const one = async (i: number): Promise<void> => {
        const driver = await rig.connect({ bytes: 12 << 20 })
        if (i % 10 === 1) await driver.start(4)
        if (i % 20 === 1) await driver.echo(0, i & 0xff)
        if (i % 100 === 11) {
          ftruncateSync(driver.fd, 4096)
          driver.rings[1]!.kick.signal()
          await driver.hungUp()
        }
        rig.leave()
      }
      for (let i = 0; i < 100; i++) await one(i)
      await until('the end of the last', async () => (await daemon.metric('vring_connected')) === 0)
      const before = holdings(daemon.child.pid!)
      const memory = await daemon.metric('process_resident_memory_bytes')
      for (let i = 100; i < 1000; i++) await one(i)
      await until('the end of the last', async () => (await daemon.metric('vring_connected')) === 0)
      expect(holdings(daemon.child.pid!)).toEqual(before)
      expect(await daemon.metric('process_resident_memory_bytes')).toBeLessThan(memory + 32 * 2 ** 20)
      expect(await daemon.metric('vring_session_ends_total{reason="memory"}')).toBe(10)
      await rig.aftermath()
    })

    test.each([
      ['TAP, io_uring', 'tap:vhtap', []],
      ['TAP, readv and writev', 'tap:vhtap', withoutIoUring],
      ['AF_XDP', 'af-xdp:vhveth', []],
    ] as const)(
      'memory that is gone under system calls of a backend (%s) ends that session, and no more',
      async (_name, backend, by) => {
        const ip = (...args: string[]): void => expect(spawnSync('ip', args).status, args.join(' ')).toBe(0)
        unshareNetwork()
        ip('link', 'set', 'lo', 'up')
        if (backend.startsWith('af-xdp')) {
          ip('link', 'add', 'vhveth', 'type', 'veth', 'peer', 'name', 'vhpeer')
          for (const name of ['vhveth', 'vhpeer']) ip('link', 'set', name, 'up')
        }
        const daemon = await rig.serve({ backend, queues: 1 }, by)
        if (backend.startsWith('tap')) ip('link', 'set', 'vhtap', 'up')
        for (const gone of [0xf0_0000, 0]) {
          const driver = await rig.connect()
          await driver.start(2)
          const tx = driver.rings[1]!
          // A good frame first, and one more after what is lost.
          const frame = (slot: number, at: number): void => {
            driver.u8.fill(0xff, at + 12, at + 18)
            tx.descriptor(slot, GUEST + at, 112)
          }
          frame(0, buffersOf(1))
          tx.offer(0)
          await until('a frame to leave', () => tx.usedIdx === 1)
          frame(1, gone === 0 ? buffersOf(1) : gone)
          ftruncateSync(driver.fd, gone === 0 ? 4096 : 0x80_0000)
          if (gone === 0) tx.kick.signal()
          else tx.offer(1)
          // Backends look at each frame before they hand it over: the device meets it first.
          await driver.hungUp()
          rig.leave()
        }
        const next = await rig.connect()
        await next.start(2)
        next.u8.fill(0xff, buffersOf(1) + 12, buffersOf(1) + 18)
        next.rings[1]!.descriptor(0, GUEST + buffersOf(1), 112)
        next.rings[1]!.offer(0)
        await until('a frame of the next driver', () => next.rings[1]!.usedIdx === 1)
        expect(await daemon.metric('vring_session_ends_total{reason="memory"}')).toBe(2)
        expect(await daemon.end('SIGTERM')).toBe(0)
        if (backend.startsWith('af-xdp')) ip('link', 'del', 'vhveth')
      },
    )
  },
)
