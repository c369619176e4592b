import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type CpioEntry, cpioArchive } from './cpio.ts'

/** Debian's smallest kernel with virtio, from the package linux-image-cloud-amd64. */
const KERNEL = /^vmlinuz-(.+-cloud-amd64)$/
/** Of the package busybox-static. */
export const BUSYBOX = '/bin/busybox'
const MODULES = ['virtio_pci', 'virtio_net']

/**
 * What runs as process 1. The kernel's messages go to the first serial port; on the second it takes commands, one a line,
 * and answers each with its output and a line `exit CODE`.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
while read -r module; do insmod "/modules/$module"; done </modules/order
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
echo ready
while read -r line; do
  eval "$line" </dev/null
  echo "
exit $?"
done
poweroff -f
`

/** A kernel and an initramfs, as QEMU starts them. */
export interface GuestImage {
  readonly kernel: string
  readonly initramfs: string
}

/** The version of the kernel for guests that is installed, or null. */
export function guestKernel(): string | null {
  const versions = existsSync('/boot') ? readdirSync('/boot').flatMap((file) => KERNEL.exec(file)?.[1] ?? []) : []
  return versions.find((version) => existsSync(join('/lib/modules', version, 'modules.dep'))) ?? null
}

/** Writes the initramfs of a guest to a folder: busybox, the modules of a virtio network card, and the script above. */
export function buildGuestImage(folder: string): GuestImage {
  const version = guestKernel()
  if (version === null) throw new Error('no kernel for guests: Debian package linux-image-cloud-amd64')
  const modules = moduleFiles(join('/lib/modules', version))
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc', 'sys', 'tmp', 'modules'].map((path) => ({ path, mode: 0o755 })),
    { path: 'init', mode: 0o755, bytes: Buffer.from(INIT) },
    { path: 'bin/busybox', mode: 0o755, bytes: readFileSync(BUSYBOX) },
    ...modules.map((file) => ({ path: `modules/${basename(file)}`, mode: 0o644, bytes: readFileSync(file) })),
    {
      path: 'modules/order',
      mode: 0o644,
      bytes: Buffer.from(modules.map((file) => `${basename(file)}\n`).join('')),
    },
  ]
  const initramfs = join(folder, 'initramfs.cpio')
  writeFileSync(initramfs, cpioArchive(entries))
  return { kernel: join('/boot', `vmlinuz-${version}`), initramfs }
}

/** The files of {@link MODULES} and of all that they need, each after what it needs. Source: modules.dep(5). */
function moduleFiles(folder: string): string[] {
  const lines = readFileSync(join(folder, 'modules.dep'), 'utf8').trim().split('\n')
  const files = MODULES.flatMap((name) => {
    const line = lines.find((one) => one.split(':')[0]!.endsWith(`/${name}.ko`))
    if (line === undefined) throw new Error(`${folder} has no module ${name}`)
    // A line names a module and what it needs; each of these stands before what it needs itself.
    return line.replace(':', '').trim().split(' ').reverse()
  })
  return [...new Set(files)].map((file) => join(folder, file))
}
