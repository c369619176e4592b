import { EINVAL, ENOSPC, refused } from '@vring/layout'
import { BaseMap, copyValue, indexAt } from './base-map.ts'
import { BPF_EXIST, BPF_NOEXIST, type EbpfMapDefinition, EEXIST, ENOENT, valueStride } from './ebpf-map.ts'

/** No node. Children are counted from 1, and 0 is none: a map that is made touches no memory. */
const NONE = -1
/** struct bpf_lpm_trie_key: the prefix length, then the address in network order. */
const PREFIX_BYTES = 4
const DATA_BYTES_MAX = 256
/** Linux creates such a map with this flag only. */
const BPF_F_NO_PREALLOC = 1

/**
 * Values by the longest prefix that matches. Source: Linux kernel/bpf/lpm_trie.c.
 *
 * A node has a prefix and two children whose prefixes go on with 0 and with 1. A node without a value of its own only
 * parts two others. All are allocated at creation, so that a value never moves: values at node * stride.
 */
export class LpmTrie extends BaseMap {
  readonly values: Uint8Array
  private readonly stride: number
  private readonly dataBytes: number
  private readonly data: Uint8Array
  private readonly prefix: Int32Array
  private readonly children: Int32Array
  private readonly hasValue: Uint8Array
  private root = NONE
  private free = NONE
  /** Nodes from here on were never used. */
  private fresh = 0
  private size = 0

  constructor(definition: EbpfMapDefinition) {
    super(definition)
    const { name, keyBytes, maxEntries, flags = 0 } = definition
    if (!(keyBytes > PREFIX_BYTES && keyBytes <= PREFIX_BYTES + DATA_BYTES_MAX))
      throw refused('ERR_OUT_OF_RANGE', `map ${name}: key size`, keyBytes, `5 to ${PREFIX_BYTES + DATA_BYTES_MAX}`)
    if ((flags & BPF_F_NO_PREALLOC) === 0)
      throw refused(
        'ERR_INVALID_ARGUMENT',
        `map ${name}: flags`,
        flags,
        'BPF_F_NO_PREALLOC (1), as the kernel wants it',
      )
    const nodes = 2 * maxEntries
    this.stride = valueStride(definition.valueBytes)
    this.dataBytes = keyBytes - PREFIX_BYTES
    this.values = new Uint8Array(nodes * this.stride)
    this.data = new Uint8Array(nodes * this.dataBytes)
    this.prefix = new Int32Array(nodes)
    this.hasValue = new Uint8Array(nodes)
    // Free nodes follow one another by their first child.
    this.children = new Int32Array(2 * nodes)
  }

  find(memory: Uint8Array, key: number): number {
    const bits = indexAt(memory, key)
    if (bits > 8 * this.dataBytes) return -1
    let found = NONE
    for (let node = this.root; node !== NONE; ) {
      const matched = this.match(node, memory, key + PREFIX_BYTES, bits)
      if (matched < this.prefix[node]!) break
      if (this.hasValue[node] === 1) found = node
      if (matched === 8 * this.dataBytes) break
      node = this.child(node, bitAt(memory, key + PREFIX_BYTES, this.prefix[node]!))
    }
    return found === NONE ? -1 : found * this.stride
  }

  update(memory: Uint8Array, key: number, valueMemory: Uint8Array, value: number, flags: number): number {
    const bits = indexAt(memory, key)
    if (flags > BPF_EXIST || bits > 8 * this.dataBytes) return EINVAL
    const data = key + PREFIX_BYTES
    let parent = NONE
    let node = this.root
    let matched = 0
    while (node !== NONE) {
      matched = this.match(node, memory, data, bits)
      if (matched !== this.prefix[node] || matched === bits) break
      parent = node
      node = this.child(node, bitAt(memory, data, matched))
    }
    const isHere = node !== NONE && matched === bits && this.prefix[node] === bits
    const exists = isHere && this.hasValue[node] === 1
    if (exists && flags === BPF_NOEXIST) return EEXIST
    if (!exists && flags === BPF_EXIST) return ENOENT
    if (!exists) {
      if (this.size === this.maxEntries) return ENOSPC
      this.size++
      if (!isHere) node = this.insert(parent, node, matched, memory, data, bits)
      this.hasValue[node] = 1
    }
    copyValue(this.values, node * this.stride, valueMemory, value, this.valueBytes)
    return 0
  }

  delete(memory: Uint8Array, key: number): number {
    const bits = indexAt(memory, key)
    if (bits > 8 * this.dataBytes) return EINVAL
    const data = key + PREFIX_BYTES
    let grandparent = NONE
    let parent = NONE
    let node = this.root
    while (node !== NONE) {
      const matched = this.match(node, memory, data, bits)
      if (matched !== this.prefix[node]) return ENOENT
      if (matched === bits) break
      grandparent = parent
      parent = node
      node = this.child(node, bitAt(memory, data, matched))
    }
    if (node === NONE || this.hasValue[node] === 0) return ENOENT
    this.size--
    this.hasValue[node] = 0
    this.prune(node, parent)
    // A parent that parted two nodes parts none any more.
    if (parent !== NONE && this.hasValue[parent] === 0) this.prune(parent, grandparent)
    return 0
  }

  keys(): Uint8Array[] {
    const found: Uint8Array[] = []
    const pending = this.root === NONE ? [] : [this.root]
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      if (this.hasValue[node] === 1) {
        const key = new Uint8Array(this.keyBytes)
        new DataView(key.buffer).setUint32(0, this.prefix[node]!, true)
        key.set(this.data.subarray(node * this.dataBytes, (node + 1) * this.dataBytes), PREFIX_BYTES)
        found.push(key)
      }
      for (const child of [this.child(node, 1), this.child(node, 0)]) if (child !== NONE) pending.push(child)
    }
    return found
  }

  /** The child whose prefix goes on with that bit, or -1. */
  private child(node: number, bit: number): number {
    return this.children[2 * node + bit]! - 1
  }

  private setChild(node: number, bit: number, child: number): void {
    this.children[2 * node + bit] = child + 1
  }

  /** Takes a node without a value out, unless it parts two others. */
  private prune(node: number, parent: number): void {
    const zero = this.child(node, 0)
    const one = this.child(node, 1)
    if (zero !== NONE && one !== NONE) return
    this.replaceChild(parent, node, zero === NONE ? one : zero)
    this.setChild(node, 0, this.free)
    this.setChild(node, 1, NONE)
    this.free = node
  }

  /** Puts a node for `bits` of the key below `parent`, where `other` stands, with which it shares `matched` bits. */
  private insert(
    parent: number,
    other: number,
    matched: number,
    memory: Uint8Array,
    data: number,
    bits: number,
  ): number {
    const node = this.take(memory, data, bits)
    if (other === NONE) {
      if (parent === NONE) this.root = node
      else this.setChild(parent, bitAt(memory, data, this.prefix[parent]!), node)
      return node
    }
    if (matched === bits) {
      this.replaceChild(parent, other, node)
      this.setChild(node, bitAt(this.data, other * this.dataBytes, bits), other)
      return node
    }
    const fork = this.take(memory, data, matched)
    this.replaceChild(parent, other, fork)
    const side = bitAt(memory, data, matched)
    this.setChild(fork, side, node)
    this.setChild(fork, 1 - side, other)
    return node
  }

  private replaceChild(parent: number, child: number, by: number): void {
    if (parent === NONE) this.root = by
    else this.setChild(parent, this.child(parent, 0) === child ? 0 : 1, by)
  }

  /** A free node: each entry brings one for itself and at most one that parts it from others. */
  private take(memory: Uint8Array, data: number, bits: number): number {
    const node = this.free === NONE ? this.fresh++ : this.free
    if (node === this.free) this.free = this.child(node, 0)
    this.setChild(node, 0, NONE)
    this.setChild(node, 1, NONE)
    this.hasValue[node] = 0
    this.prefix[node] = bits
    copyValue(this.data, node * this.dataBytes, memory, data, this.dataBytes)
    return node
  }

  /** Bits that a node's prefix and the first `bits` of a key have in common. */
  private match(node: number, memory: Uint8Array, data: number, bits: number): number {
    const limit = Math.min(this.prefix[node]!, bits)
    const start = node * this.dataBytes
    for (let at = 0; 8 * at < limit; at++) {
      const differing = this.data[start + at]! ^ memory[data + at]!
      if (differing !== 0) return Math.min(limit, 8 * at + Math.clz32(differing) - 24)
    }
    return limit
  }
}

/** Bit `at` of an address, the highest bit of the first byte being 0. */
function bitAt(memory: Uint8Array, data: number, at: number): number {
  return (memory[data + (at >> 3)]! >> (7 - (at & 7))) & 1
}
