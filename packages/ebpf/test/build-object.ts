/** A section of an object that a test puts together. */
export interface BuiltSection {
  readonly name: string
  readonly bytes: Uint8Array
  /** Default 1, SHT_PROGBITS; 9 is SHT_REL, 8 SHT_NOBITS. */
  readonly type?: number
  /** 4: instructions. */
  readonly flags?: number
  /** Of relocations the number of the section that they are about. */
  readonly info?: number
  /** Of a section without bytes. */
  readonly size?: number
}

/** A symbol of such an object; sections count from 1 in the order given. */
export interface BuiltSymbol {
  readonly name: string
  readonly section: number
  readonly value?: number
  readonly size?: number
  /** 1: variable, 2: function. */
  readonly type: number
}

const HEADER_BYTES = 64
const SYMBOL_BYTES = 24

/** Texts with a NUL after each, and the offset of each. */
export function stringTable(texts: readonly string[]): { readonly bytes: Uint8Array; at(text: string): number } {
  const offsets = new Map<string, number>([['', 0]])
  let all = '\0'
  for (const text of texts) {
    if (offsets.has(text)) continue
    offsets.set(text, all.length)
    all += `${text}\0`
  }
  return { bytes: new Uint8Array(Buffer.from(all, 'latin1')), at: (text) => offsets.get(text)! }
}

/** An ELF object for BPF with these sections and symbols. */
export function buildObject(sections: readonly BuiltSection[], symbols: readonly BuiltSymbol[] = []): Uint8Array {
  const names = stringTable([...sections.map(({ name }) => name), ...symbols.map(({ name }) => name)])
  const table = new DataView(new ArrayBuffer(SYMBOL_BYTES * (symbols.length + 1)))
  for (const [i, { name, section, value = 0, size = 0, type }] of symbols.entries()) {
    const at = SYMBOL_BYTES * (i + 1)
    table.setUint32(at, names.at(name), true)
    table.setUint8(at + 4, 0x10 | type)
    table.setUint16(at + 6, section, true)
    table.setBigUint64(at + 8, BigInt(value), true)
    table.setBigUint64(at + 16, BigInt(size), true)
  }
  const strings = sections.length + 2
  const all: (BuiltSection & { readonly link?: number })[] = [
    { name: '', bytes: new Uint8Array(0), type: 0 },
    ...sections,
    { name: '', bytes: new Uint8Array(table.buffer), type: 2, link: strings },
    { name: '', bytes: names.bytes, type: 3 },
  ]
  const bodies = all.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const file = new Uint8Array(HEADER_BYTES + bodies + HEADER_BYTES * all.length)
  const view = new DataView(file.buffer)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, 1, true)
  view.setUint16(18, 247, true)
  view.setBigUint64(40, BigInt(HEADER_BYTES + bodies), true)
  view.setUint16(58, HEADER_BYTES, true)
  view.setUint16(60, all.length, true)
  view.setUint16(62, strings, true)
  let at = HEADER_BYTES
  for (const [i, { name, bytes, type = 1, flags = 0, info = 0, link = 0, size }] of all.entries()) {
    const header = HEADER_BYTES + bodies + i * HEADER_BYTES
    file.set(bytes, at)
    view.setUint32(header, names.at(name), true)
    view.setUint32(header + 4, type, true)
    view.setBigUint64(header + 8, BigInt(flags), true)
    view.setBigUint64(header + 24, BigInt(at), true)
    view.setBigUint64(header + 32, BigInt(size ?? bytes.length), true)
    view.setUint32(header + 40, link, true)
    view.setUint32(header + 44, info, true)
    at += bytes.length
  }
  return file
}

/** A `.BTF` section of types, each its 32-bit words; names are offsets in `strings`. */
export function buildBtf(types: readonly (readonly number[])[], strings: Uint8Array): Uint8Array {
  const words = types.flat()
  const bytes = new Uint8Array(24 + words.length * 4 + strings.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 0xeb9f, true)
  view.setUint8(2, 1)
  view.setUint32(4, 24, true)
  view.setUint32(12, words.length * 4, true)
  view.setUint32(16, words.length * 4, true)
  view.setUint32(20, strings.length, true)
  for (const [i, word] of words.entries()) view.setUint32(24 + i * 4, word >>> 0, true)
  bytes.set(strings, 24 + words.length * 4)
  return bytes
}
