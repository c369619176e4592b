import { BPF_MAP_TYPES, type BpfMapType, refused } from '@vring/layout'

/** Types of maps by the number that the kernel has for them. */
export const MAP_TYPE_NUMBERS: typeof BPF_MAP_TYPES = BPF_MAP_TYPES

/** A type of maps by its name; {@link createMap} says which ones there are here. */
export type EbpfMapType = BpfMapType

const NAMES = new Map<number, EbpfMapType>(
  Object.entries(BPF_MAP_TYPES).map(([name, number]) => [number, name as EbpfMapType]),
)

/** The type of map `name` by its number. @throws VringError: the kernel has none of that number */
export function mapTypeOf(name: string, number: number): EbpfMapType {
  const type = NAMES.get(number)
  if (type === undefined)
    throw refused('ERR_UNSUPPORTED', `map ${name}: type`, number, `1 to ${NAMES.size}, a number of enum bpf_map_type`)
  return type
}
