import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VIRTIO_F_RING_PACKED, VIRTIO_ID_BLOCK, VIRTIO_ID_NET } from '@vring/layout'
import { unshareNetwork, unsupportedHost } from '@vring/linux'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess } from './daemon-process.ts'
import { BUSYBOX } from './guest/guest-image.ts'
import { runUml, umlModules } from './guest/uml.ts'

const reason =
  unsupportedHost() ??
  (process.getuid?.() === 0 ? null : 'needs root') ??
  (umlModules() === null ? 'linux.uml (Debian package user-mode-linux) is missing' : null) ??
  (existsSync(BUSYBOX) ? null : 'busybox (Debian package busybox-static) is missing')

/** Does a device's line of negotiated features, as sysfs has it, name packed rings? */
function hasPacked(output: string): boolean {
  return /^[01]{64}$/m.exec(output)?.[0][VIRTIO_F_RING_PACKED] === '1'
}

/** The real Linux driver as a process: virtio_uml, with no VMM between it and the daemon. */
describe.skipIf(reason !== null)(`User-Mode Linux${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let daemon: DaemonProcess | null = null
  beforeAll(() => {
    unshareNetwork()
    spawnSync('ip', ['link', 'set', 'lo', 'up'])
  })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-uml-'))
  })
  afterEach(async () => {
    if (daemon !== null && daemon.child.exitCode === null) await daemon.end('SIGTERM')
    daemon = null
    rmSync(folder, { recursive: true, force: true })
  })

  test.each([1, 2])('gets an interface of %i queue pairs, and pings', async (pairs) => {
    const socket = join(folder, 'net.sock')
    const tap = `vuml${pairs}`
    daemon = new DaemonProcess(['--socket', socket, '--backend', `tap:${tap}`, '--queues', `${pairs}`], {
      from: 'built',
    })
    await daemon.ready()
    spawnSync('ip', ['addr', 'add', '10.77.0.1/24', 'dev', tap])
    spawnSync('ip', ['link', 'set', tap, 'up'])
    const output = await runUml(
      folder,
      [{ socket, id: VIRTIO_ID_NET }],
      `cat /sys/class/net/eth0/device/features; echo
ip addr add 10.77.0.2/24 dev eth0
ip link set eth0 up
ping -c 6 -i 0.3 -W 2 10.77.0.1`,
    )
    // virtio_uml takes packed rings when they are on offer.
    expect(hasPacked(output)).toBe(true)
    // With several TAP queues the host may send the first answers to one that the driver does not use yet.
    expect(output).toMatch(/6 packets transmitted, [3-6] packets received/)
    await daemon.says(/the driver hung up/)
  })

  test('reads and writes a block device', async () => {
    const [socket, file] = [join(folder, 'blk.sock'), join(folder, 'disk')]
    const before = randomBytes(2 ** 20)
    writeFileSync(file, before)
    daemon = new DaemonProcess(['block', '--socket', socket, '--file', file], { from: 'built' })
    await daemon.ready()
    const output = await runUml(
      folder,
      [{ socket, id: VIRTIO_ID_BLOCK }],
      `cat /sys/block/vda/device/features; echo
cat /sys/block/vda/size /sys/block/vda/serial; echo
md5sum /dev/vda
dd if=/dev/zero of=/dev/vda bs=4096 seek=3 count=5 conv=fsync 2>/dev/null
echo written $?`,
    )
    const md5 = spawnSync('md5sum', { input: before, encoding: 'latin1' }).stdout.split(' ')[0]!
    expect(hasPacked(output)).toBe(true)
    expect(output).toContain('2048\nvring')
    expect(output).toContain(md5)
    expect(output).toContain('written 0')
    const after = readFileSync(file)
    expect(after.subarray(12_288, 32_768).every((byte) => byte === 0)).toBe(true)
    expect(after.subarray(32_768).equals(before.subarray(32_768))).toBe(true)
    expect(await daemon.end('SIGTERM')).toBe(0)
    expect(daemon.output).toMatch(/stopped; \d+ reads, [1-9]\d* writes, [1-9]\d* flushes, 0 errors/)
  })
})
