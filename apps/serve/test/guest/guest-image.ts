import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { type CpioEntry, cpioArchive } from './cpio.ts'

/** VRING_GUEST_ROOT: where another kernel's package was unpacked, and `depmod -b` run. */
const ROOT = process.env['VRING_GUEST_ROOT'] ?? '/'
/** Debian's smallest kernel with virtio, from the package linux-image-cloud-amd64. */
const KERNEL = /^vmlinuz-(.+-cloud-amd64)$/
/** Of the package busybox-static. */
export const BUSYBOX = '/bin/busybox'
/** What the guest's kernel has as modules, by what it is for; ext4 is built in. */
const MODULES = { net: ['virtio_pci', 'virtio_net'], disk: ['virtio_pci', 'virtio_blk'] } as const

const MOUNT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
`
const LOAD = `while read -r module; do insmod "/modules/$module"; done </modules/order
`
/** Commands, one a line, by the second serial port: each is answered with its output and a line `exit CODE`. */
const SHELL = `exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
echo ready
while read -r line; do
  eval "$line" </dev/null
  echo "
exit $?"
done
poweroff -f
`
/** What runs as process 1. The kernel's messages go to the first serial port. */
const INIT = {
  net: MOUNT + LOAD + SHELL,
  disk: `${MOUNT + LOAD}mount -t ext4 /dev/vda /root
exec switch_root /root /init
`,
} as const
const FOLDERS = ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules', 'root']
/** Of the package e2fsprogs. */
export const MKE2FS = '/sbin/mke2fs'
const DISK_BYTES = 64 * 2 ** 20

/** A kernel and an initramfs, as QEMU starts them. */
export interface GuestImage {
  readonly kernel: string
  readonly initramfs: string
}

/** The version of the kernel for guests that is installed, or null. */
export function guestKernel(): string | null {
  const boot = join(ROOT, 'boot')
  const versions = existsSync(boot) ? readdirSync(boot).flatMap((file) => KERNEL.exec(file)?.[1] ?? []) : []
  return versions.find((version) => existsSync(join(modulesOf(version), 'modules.dep'))) ?? null
}

/**
 * Writes the initramfs of a guest to a folder: busybox, the modules of its device, and what runs first. `disk`: that
 * goes over to the root of a {@link buildGuestDisk}.
 */
export function buildGuestImage(folder: string, device: keyof typeof MODULES = 'net'): GuestImage {
  const version = guestKernel()
  if (version === null) throw new Error('no kernel for guests: Debian package linux-image-cloud-amd64')
  const modules = moduleFiles(modulesOf(version), MODULES[device])
  const entries: CpioEntry[] = [
    ...FOLDERS.map((path) => ({ path, mode: 0o755 })),
    { path: 'init', mode: 0o755, bytes: Buffer.from(INIT[device]) },
    { path: 'bin/busybox', mode: 0o755, bytes: readFileSync(BUSYBOX) },
    ...modules.map((file) => ({ path: `modules/${basename(file, '.xz')}`, mode: 0o644, bytes: moduleBytes(file) })),
    {
      path: 'modules/order',
      mode: 0o644,
      bytes: Buffer.from(modules.map((file) => `${basename(file, '.xz')}\n`).join('')),
    },
  ]
  const initramfs = join(folder, 'initramfs.cpio')
  writeFileSync(initramfs, cpioArchive(entries))
  return { kernel: join(ROOT, 'boot', `vmlinuz-${version}`), initramfs }
}

/** Writes the disk of a guest to a folder: a root file system that takes commands as an initramfs does. @returns its path */
export function buildGuestDisk(folder: string): string {
  const [root, disk] = [join(folder, 'root'), join(folder, 'disk')]
  for (const path of FOLDERS) mkdirSync(join(root, path), { recursive: true })
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'))
  writeFileSync(join(root, 'init'), MOUNT + SHELL, { mode: 0o755 })
  writeFileSync(disk, '')
  truncateSync(disk, DISK_BYTES)
  execFileSync(MKE2FS, ['-q', '-F', '-t', 'ext4', '-d', root, disk])
  rmSync(root, { recursive: true })
  return disk
}

function modulesOf(version: string): string {
  return join(ROOT, 'lib/modules', version)
}

/** Of a module, which newer packages have compressed. */
function moduleBytes(file: string): Buffer {
  return file.endsWith('.xz') ? execFileSync('xz', ['-dc', file]) : readFileSync(file)
}

/**
 * The files of modules and of all that they need, each after what it needs; not those that are built in.
 * Source: modules.dep(5).
 */
function moduleFiles(folder: string, modules: readonly string[]): string[] {
  const lines = readFileSync(join(folder, 'modules.dep'), 'utf8').trim().split('\n')
  const builtIn = readFileSync(join(folder, 'modules.builtin'), 'utf8')
  const files = modules.flatMap((name) => {
    if (builtIn.includes(`/${name}.ko\n`)) return []
    const line = lines.find((one) => /^.*\/(.+?)\.ko(\.xz)?$/.exec(one.split(':')[0]!)?.[1] === name)
    if (line === undefined) throw new Error(`${folder} has no module ${name}`)
    // A line names a module and what it needs; each of these stands before what it needs itself.
    return line.replace(':', '').trim().split(' ').reverse()
  })
  return [...new Set(files)].map((file) => join(folder, file))
}
