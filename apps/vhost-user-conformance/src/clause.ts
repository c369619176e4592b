/**
 * Names of what the cases cite. The vhost-user document is QEMU's docs/interop/vhost-user.rst; its sections have titles and
 * no numbers.
 */
export function vhostUser(section: string): string {
  return `vhost-user: ${section}`
}

/** A section of VirtIO 1.3 by its number. */
export function virtio(section: string): string {
  return `VirtIO 1.3 ${section}`
}

/** The description of one message in the vhost-user document. */
export function message(name: string): string {
  return vhostUser(`Front-end message types, VHOST_USER_${name}`)
}
