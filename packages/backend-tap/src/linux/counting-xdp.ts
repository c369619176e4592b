import {
  addImmediate,
  assembleBpf,
  atomicAdd64,
  BpfMap,
  callHelper,
  exitProgram,
  KernelXdpProgram,
  loadMap,
  movImmediate,
  movRegister,
  skipIfZero,
  store32,
} from '@vring/linux'

const BPF_FUNC_map_lookup_elem = 1
const R0 = 0
const R1 = 1
const R2 = 2
const R10 = 10

/**
 * A kernel XDP program that counts every frame, CPU by CPU, and gives all of them one verdict. It shows that frames
 * arrive and what the hook costs.
 */
export class CountingXdp {
  readonly program: KernelXdpProgram
  readonly #map: BpfMap

  /**
   * @param verdict XDP_DROP, XDP_PASS or XDP_TX
   * @throws VringError ERR_SYSTEM: EPERM
   */
  constructor(verdict: number) {
    this.#map = BpfMap.create({ type: 'percpu-array', name: 'vring_count', keySize: 4, valueSize: 8, maxEntries: 1 })
    try {
      this.program = KernelXdpProgram.load({
        name: 'vring_count',
        instructions: assembleBpf([
          store32(R10, -4, 0),
          ...loadMap(R1, this.#map.fd),
          movRegister(R2, R10),
          addImmediate(R2, -4),
          callHelper(BPF_FUNC_map_lookup_elem),
          skipIfZero(R0, 2),
          movImmediate(R1, 1),
          atomicAdd64(R0, 0, R1),
          movImmediate(R0, verdict),
          exitProgram(),
        ]),
      })
    } catch (error) {
      this.#map.close()
      throw error
    }
  }

  /** Frames seen, on all CPUs. */
  get frames(): number {
    return this.#map.counter(0)
  }

  /** Closes program and map; an attached program stays attached. */
  close(): void {
    this.program.close()
    this.#map.close()
  }
}
