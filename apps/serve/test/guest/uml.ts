import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type CpioEntry, cpioArchive } from './cpio.ts'
import { BUSYBOX } from './guest-image.ts'

/** Linux as a process, of the Debian package user-mode-linux. virtio_uml, its vhost-user transport, is built in. */
export const UML = '/usr/bin/linux.uml'
const MODULES_FOLDER = '/usr/lib/uml/modules'
const MODULES = [
  'kernel/net/core/failover.ko',
  'kernel/drivers/net/net_failover.ko',
  'kernel/drivers/net/virtio_net.ko',
  'kernel/drivers/block/virtio_blk.ko',
]

/** Folder of the modules of the kernel that is installed, or null. */
export function umlModules(): string | null {
  if (!existsSync(UML) || !existsSync(MODULES_FOLDER)) return null
  const versions = readdirSync(MODULES_FOLDER).map((version) => join(MODULES_FOLDER, version))
  return versions.find((folder) => MODULES.every((file) => existsSync(join(folder, file)))) ?? null
}

/** A device of the guest: a vhost-user socket and a device ID (VirtIO 1.3 section 5). */
export interface UmlDevice {
  readonly socket: string
  readonly id: number
}

/**
 * Boots a guest that runs a script with its modules loaded, and halts.
 *
 * @param folder for its initramfs; its memory is a file in tmpfs, which a daemon takes as memory
 * @param script for busybox' shell
 * @returns what the script and the kernel wrote
 */
export async function runUml(folder: string, devices: readonly UmlDevice[], script: string): Promise<string> {
  const modules = umlModules()!
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in ${MODULES.map((file) => basename(file)).join(' ')}; do insmod /modules/$module; done
${script}
poweroff -f
`
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc', 'sys', 'tmp', 'modules'].map((path) => ({ path, mode: 0o755 })),
    { path: 'init', mode: 0o755, bytes: Buffer.from(init) },
    { path: 'bin/busybox', mode: 0o755, bytes: readFileSync(BUSYBOX) },
    ...MODULES.map((file) => ({
      ...{ path: `modules/${basename(file)}`, mode: 0o644 },
      bytes: readFileSync(join(modules, file)),
    })),
  ]
  const initrd = join(folder, 'uml-initramfs.cpio')
  writeFileSync(initrd, cpioArchive(entries))
  const args = [
    ...['mem=128M', `initrd=${initrd}`, 'root=/dev/ram0', 'rdinit=/init', 'con=null', 'con0=null,fd:1', 'quiet'],
    ...devices.map(({ socket, id }) => `virtio_uml.device=${socket}:${id}`),
  ]
  const shm = mkdtempSync('/dev/shm/vring-uml-')
  const child = spawn(UML, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TMPDIR: shm },
    detached: true,
  })
  // Its processes are a group of their own: those that are left go with it.
  const kill = (): void => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // All of them are gone.
    }
  }
  const timer = setTimeout(kill, 60_000)
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  kill()
  rmSync(shm, { recursive: true, force: true })
  return output.replaceAll('\r', '')
}
