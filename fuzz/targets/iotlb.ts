import { DeviceIotlb, type IotlbEntry } from '@vring/iotlb'
import { isVringError } from '@vring/layout'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

const LIMIT = 8
const STEP_BYTES = 8
/** Where ranges begin: near one another, and at the ends of what there is. */
const BASES = [0, 2 ** 12, 2 ** 32, Number.MAX_SAFE_INTEGER - 2 ** 12]

/** What an IOTLB is, without an index: entries by age. */
class Model {
  entries: IotlbEntry[] = []

  insert(entry: IotlbEntry): void {
    if (this.entries.length === LIMIT) this.entries.shift()
    this.entries.push(entry)
  }

  /** Of those that hold it the one that begins first, and of equal ones the oldest. */
  lookup(iova: number): IotlbEntry | null {
    const holding = this.entries.filter((entry) => entry.iova <= iova && iova <= entry.last)
    return holding.reduce<IotlbEntry | null>(
      (first, entry) => (first === null || entry.iova < first.iova ? entry : first),
      null,
    )
  }
}

function same(a: IotlbEntry | null, b: IotlbEntry | null): boolean {
  if (a === null || b === null) return a === b
  return a.iova === b.iova && a.last === b.last && a.uaddr === b.uaddr && a.perm === b.perm
}

export const target: FuzzTarget = {
  name: 'iotlb',
  description:
    'updates, invalidations, misses and lookups: the table answers as a list that is searched from its start',
  unit: 'operations',
  maxBytes: 256,
  seeds: [Uint8Array.from({ length: 64 }, (_, index) => index), new Uint8Array(128).fill(0x11)],
  run(input) {
    const iotlb = new DeviceIotlb({ limit: LIMIT })
    const model = new Model()
    let operations = 0
    for (let at = 0; at + STEP_BYTES <= input.length; at += STEP_BYTES, operations++) {
      const [what, base, offset, low, high, perm, far, pages] = input.subarray(
        at,
        at + STEP_BYTES,
      ) as unknown as number[]
      const iova = BASES[base! & 3]! + 16 * offset!
      const size = (low! | (high! << 8)) * (pages! & 1 ? 4096 : 1) * ((pages! & 6) === 6 ? 2 ** 37 : 1)
      try {
        if ((what! & 3) === 0) {
          iotlb.update(iova, size, 4096 * far!, perm! & 3)
          const last = Math.min(size - 1, Number.MAX_SAFE_INTEGER - iova) + iova
          if (iova !== 0 || last !== Number.MAX_SAFE_INTEGER)
            model.insert({ iova, last, uaddr: 4096 * far!, perm: perm! & 3 })
          else {
            const middle = Math.floor(last / 2)
            model.insert({ iova, last: middle, uaddr: 4096 * far!, perm: perm! & 3 })
            model.insert({ iova: middle + 1, last, uaddr: 4096 * far! + middle + 1, perm: perm! & 3 })
          }
        } else if ((what! & 3) === 1) {
          iotlb.invalidate(iova, size)
          const last = Math.min(size - 1, Number.MAX_SAFE_INTEGER - iova) + iova
          model.entries = model.entries.filter((entry) => entry.last < iova || entry.iova > last)
        } else if ((what! & 3) === 2) iotlb.miss(iova, perm! & 1 ? 1 : 2)
        else iotlb.takeMisses()
      } catch (error) {
        if (!isVringError(error)) throw error
      }
      for (const address of [iova, iova + size - 1, iova + size])
        if (address <= Number.MAX_SAFE_INTEGER && address >= 0) {
          const found = iotlb.lookup(address)
          const expected = model.lookup(address)
          if (!same(found, expected))
            throw new Error(`lookup of ${address}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
        }
      expectThat(iotlb.size === model.entries.length, `${iotlb.size} entries, expected ${model.entries.length}`)
    }
    return Math.max(1, operations)
  },
}
