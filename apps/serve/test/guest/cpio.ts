/** A file, or a folder where there are no `bytes`, as the kernel unpacks it. */
export interface CpioEntry {
  /** Path without leading slash. */
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  readonly bytes?: Uint8Array
}

const FOLDER = 0o040000
const FILE = 0o100000
const HEADER_BYTES = 110

/**
 * Writes an archive that Linux unpacks as its initramfs. Each entry is a header of hexadecimal numbers in text, the path
 * ended by a zero byte, and the bytes of the file; path and file are padded to four bytes. Source: cpio(5), "New ASCII
 * Format"; Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [index, { path, mode, bytes }] of entries.entries())
    parts.push(...entryParts(path, index + 1, (bytes === undefined ? FOLDER : FILE) | mode, bytes ?? new Uint8Array(0)))
  parts.push(...entryParts('TRAILER!!!', 0, 0, new Uint8Array(0)))
  return Buffer.concat(parts)
}

function entryParts(path: string, inode: number, mode: number, bytes: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`)
  const links = 1
  // Inode, mode, user, group, links, time, size, two numbers each of its device and of the device that it is, name, sum.
  const fields = [inode, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, name.length, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return [Buffer.from(header), name, padding(HEADER_BYTES + name.length), bytes, padding(bytes.length)]
}

function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 3)
}
