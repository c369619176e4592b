import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VIRTIO_F_RING_PACKED } from '@vring/layout'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DaemonProcess } from './daemon-process.ts'
import { Guest, QEMU } from './guest/guest.ts'
import { BUSYBOX, buildGuestDisk, buildGuestImage, guestKernel, MKE2FS } from './guest/guest-image.ts'

const DEBUGFS = '/sbin/debugfs'
const reason =
  unsupportedHost() ??
  (existsSync(QEMU) ? null : 'qemu-system-x86_64 (Debian package qemu-system-x86) is missing') ??
  (guestKernel() === null ? 'a kernel (Debian package linux-image-cloud-amd64) is missing' : null) ??
  (existsSync(BUSYBOX) ? null : 'busybox (Debian package busybox-static) is missing') ??
  (existsSync(MKE2FS) && existsSync(DEBUGFS) ? null : 'mke2fs (Debian package e2fsprogs) is missing')
const BYTES = 4 * 2 ** 20

describe.skipIf(reason !== null)(`a Linux guest's disk${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  let daemon: DaemonProcess | null = null
  let guest: Guest | null = null

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-disk-'))
  })
  afterEach(async () => {
    await guest?.kill()
    if (daemon !== null && daemon.child.exitCode === null) await daemon.end('SIGKILL')
    guest = daemon = null
    rmSync(folder, { recursive: true, force: true })
  })

  test('has its root on it over packed rings, and what it writes while the daemon is killed is in the file of the host', {
    timeout: 300_000,
  }, async () => {
    const socket = join(folder, 'blk.sock')
    const disk = buildGuestDisk(folder)
    const serve = async (): Promise<DaemonProcess> => {
      daemon = new DaemonProcess(['block', '--socket', socket, '--file', disk], { from: 'built' })
      await daemon.ready()
      return daemon
    }
    const first = await serve()
    const image = buildGuestImage(folder, 'disk')
    const chardev = `path=${socket},reconnect=1`
    guest = await Guest.boot({ image, folder, chardev, device: 'disk', card: ['packed=on'] })
    const bits = await guest.run('cat /sys/block/vda/device/features')
    expect(bits[VIRTIO_F_RING_PACKED]).toBe('1')
    expect(await guest.run('mount')).toMatch(/^\/dev\/vda on \/ type ext4 \(rw/m)

    const said = await guest.run(`head -c ${BYTES} /dev/urandom >/file && sha256sum </file`)
    const [sum] = said.split(' ')
    // The next daemon goes on with the requests that were in flight: QEMU keeps the notes of them.
    await guest.run('sync &')
    await first.end('SIGKILL')
    const next = await serve()
    await guest.run('wait && sync')
    // Read from the disk again, and not from the guest's memory.
    await guest.run('echo 3 >/proc/sys/vm/drop_caches')
    expect(await guest.run('sha256sum </file')).toBe(said)
    await guest.run('mount -o remount,ro /')
    await guest.kill()
    expect(await next.end('SIGTERM')).toBe(0)

    execFileSync(DEBUGFS, ['-R', `dump /file ${join(folder, 'file')}`, disk], { stdio: 'ignore' })
    const file = readFileSync(join(folder, 'file'))
    expect([file.length, createHash('sha256').update(file).digest('hex')]).toEqual([BYTES, sum])
  })
})
