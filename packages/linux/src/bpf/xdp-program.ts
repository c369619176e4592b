import { refused, VringError } from '@vring/layout'
import { EAGAIN_ERRNO } from '../abi.ts'
import { closeFd } from '../descriptors/fd.ts'
import { fixedBytes } from '../libc.ts'
import { setLinkXdp, type XdpMode } from '../network/link.ts'
import { zeroTerminated } from '../network/netlink.ts'
import { systemErrnoName, systemErrnoOf, systemError } from '../system-error.ts'
import {
  BPF_BTF_LOAD,
  BPF_LINK_CREATE,
  BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_LOAD,
  BPF_PROG_TEST_RUN,
  BpfAttribute,
  bpf,
  bpfChecked,
  bpfObjectInfo,
} from './bpf.ts'

const BPF_PROG_TYPE_XDP = 6
/** Source: Linux include/uapi/linux/bpf.h, flags of BPF_PROG_LOAD. */
const BPF_F_XDP_HAS_FRAGS = 1 << 5
/** enum bpf_attach_type. */
const BPF_XDP = 37
const XDP_LINK_FLAGS = { generic: 2, native: 4 } as const
const INSTRUCTION_BYTES = 8
/** Bytes of struct bpf_prog_info up to what is read of it. */
const BPF_PROG_INFO = { size: 232, id: 4 } as const
const LOG_BYTES = 1 << 20
const ENOENT = 2
const EACCES = 13
const EINVAL = 22

export interface KernelXdpProgramOptions {
  /** For people and for the kernel, which keeps 15 characters. */
  readonly name: string
  /** eBPF instructions, 8 bytes each, with the descriptors of maps already in them. */
  readonly instructions: Uint8Array
  /** Some helpers want `GPL`. Default `Apache-2.0`. */
  readonly license?: string
  /** It takes frames of several pieces (BPF_F_XDP_HAS_FRAGS, sections `xdp.frags`); default false. */
  readonly acceptsFragments?: boolean
  /** Types of the program's functions, which the kernel wants to know where a helper calls them. */
  readonly types?: KernelProgramTypes
}

export interface KernelProgramTypes {
  /** A `.BTF` section. */
  readonly btf: Uint8Array
  /** First instruction and type of each function, in the order of the code. */
  readonly functions: readonly { readonly instruction: number; readonly type: number }[]
}

/** Bytes that a program may add to a frame. */
const TEST_RUN_GROWTH = 512

/** What became of a frame. */
export interface XdpTestRun {
  readonly verdict: number
  readonly frame: Uint8Array
  /** Average of all runs. */
  readonly durationNs: number
}

/** An XDP program that the kernel has verified and compiled. */
export class KernelXdpProgram {
  readonly fd: number
  readonly name: string
  /** The kernel's number for it. */
  readonly id: number
  #closed = false

  private constructor(fd: number, name: string) {
    this.fd = fd
    this.name = name
    this.id = new DataView(bpfObjectInfo(fd, BPF_PROG_INFO.size).buffer).getUint32(BPF_PROG_INFO.id, true)
  }

  /**
   * Loads a program.
   *
   * @throws VringError ERR_OUT_OF_RANGE for bytes that are no instructions. ERR_UNSUPPORTED when the verifier refuses
   * it: the message says which instruction and why, `cause` holds the verifier's whole log. ERR_SYSTEM otherwise
   */
  static load(options: KernelXdpProgramOptions): KernelXdpProgram {
    const { name, instructions } = options
    const bytes = instructions.length
    if (bytes === 0 || bytes % INSTRUCTION_BYTES !== 0)
      throw refused('ERR_OUT_OF_RANGE', 'instruction bytes', bytes, `a positive multiple of ${INSTRUCTION_BYTES}`)
    const code = fixedBytes(bytes)
    code.set(instructions)
    const license = new TextEncoder().encode(`${options.license ?? 'Apache-2.0'}\0`)
    const licenseBytes = fixedBytes(license.length)
    licenseBytes.set(license)
    const attribute = new BpfAttribute(options.types === undefined ? 72 : 112)
      .u32(0, BPF_PROG_TYPE_XDP)
      .u32(4, bytes / INSTRUCTION_BYTES)
      .pointer(8, code)
      .pointer(16, licenseBytes)
      .u32(44, options.acceptsFragments === true ? BPF_F_XDP_HAS_FRAGS : 0)
      .name(48, name)
      .u32(68, BPF_XDP)
    const { types } = options
    const btf = types === undefined ? -1 : loadBtf(types.btf, name)
    if (types !== undefined) addFunctionTypes(attribute, btf, types)
    try {
      return KernelXdpProgram.#loaded(name, attribute)
    } finally {
      if (btf >= 0) closeFd(btf)
    }
  }

  static #loaded(name: string, attribute: BpfAttribute): KernelXdpProgram {
    let fd = load(attribute)
    if (fd === -EACCES || fd === -EINVAL) {
      // Again, with the verifier's log: asking for it at once would cost every good program its time.
      const log = fixedBytes(LOG_BYTES)
      fd = load(attribute.u32(24, 1).u32(28, LOG_BYTES).pointer(32, log))
      if (fd < 0) throw verifierError(name, -fd, zeroTerminated(log))
    }
    if (fd < 0) throw systemError('bpf', -fd, `loading program ${name}`)
    try {
      return new KernelXdpProgram(fd, name)
    } catch (error) {
      closeFd(fd)
      throw error
    }
  }

  /**
   * Runs it on a frame, without an interface (BPF_PROG_TEST_RUN).
   *
   * @param frame at least 14 bytes
   * @param repeat runs, for their average duration; default 1
   * @throws VringError ERR_SYSTEM: EINVAL for a frame that is too short or too long
   */
  testRun(frame: Uint8Array, repeat = 1): XdpTestRun {
    const input = fixedBytes(frame.length)
    input.set(frame)
    const output = fixedBytes(frame.length + TEST_RUN_GROWTH)
    const attribute = new BpfAttribute(80)
      .u32(0, this.fd)
      .u32(8, input.length)
      .u32(12, output.length)
      .pointer(16, input)
      .pointer(24, output)
      .u32(32, repeat)
    bpfChecked(BPF_PROG_TEST_RUN, attribute, `running ${this.name}`)
    const view = new DataView(attribute.bytes.buffer)
    return {
      verdict: view.getUint32(4, true),
      frame: output.slice(0, view.getUint32(12, true)),
      durationNs: view.getUint32(36, true),
    }
  }

  /** Closes the descriptor; an attached program stays attached. A second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
  }
}

/** @returns the descriptor of the types @throws VringError ERR_SYSTEM: EINVAL for types that are malformed */
function loadBtf(btf: Uint8Array, name: string): number {
  const copy = fixedBytes(btf.length)
  copy.set(btf)
  return bpfChecked(BPF_BTF_LOAD, new BpfAttribute(32).pointer(0, copy).u32(16, btf.length), `loading types of ${name}`)
}

/** struct bpf_func_info: instruction and type, 4 bytes each. */
const FUNCTION_INFO_BYTES = 8

function addFunctionTypes(attribute: BpfAttribute, btf: number, { functions }: KernelProgramTypes): void {
  const records = fixedBytes(functions.length * FUNCTION_INFO_BYTES)
  const view = new DataView(records.buffer, records.byteOffset)
  for (const [i, { instruction, type }] of functions.entries()) {
    view.setUint32(i * FUNCTION_INFO_BYTES, instruction, true)
    view.setUint32(i * FUNCTION_INFO_BYTES + 4, type, true)
  }
  attribute.u32(72, btf).u32(76, FUNCTION_INFO_BYTES).pointer(80, records).u32(88, functions.length)
}

/** The verifier ends with EAGAIN when a signal arrives, such as a profiler's: five attempts, as libbpf makes. */
function load(attribute: BpfAttribute): number {
  let fd = bpf(BPF_PROG_LOAD, attribute)
  for (let attempt = 1; fd === -EAGAIN_ERRNO && attempt < 5; attempt++) fd = bpf(BPF_PROG_LOAD, attribute)
  return fd
}

/** The verifier's last instruction and last words. Its log ends with statistics, `processed 7 insns ...`. */
function verifierError(name: string, errno: number, log: string): VringError {
  const lines = log
    .split('\n')
    .filter((line) => line !== '' && !/^(processed|verification time|stack depth)\b/.test(line))
  const instruction = lines.findLast((line) => /^\d+: \(/.test(line))
  const at = instruction === undefined ? '' : ` at instruction ${instruction.replace(/\s*;.*$/, '')}`
  const reason = lines.at(-1) ?? systemErrnoName(errno)
  return new VringError('ERR_UNSUPPORTED', `the kernel refuses XDP program ${name}${at}: ${reason}`, {
    field: 'instructions',
    value: systemErrnoName(errno),
    cause: new Error(log.trim()),
  })
}

/** An XDP program on an interface. */
export interface XdpAttachment {
  /** The mode that was granted. */
  readonly mode: XdpMode
  /** `link`: it goes when this process does. `netlink`: it stays until {@link detach}. */
  readonly by: 'link' | 'netlink'
  /** Takes the program off; an interface that is gone took it along. A second call does nothing. */
  detach(): void
}

/**
 * Attaches a program to an interface that has none, in native mode if its driver has that and else in generic mode.
 *
 * By a BPF link where the kernel has them (Linux 5.9): then the program can't outlive the process that attached it.
 * Otherwise by rtnetlink.
 *
 * @param mode ask for one mode only
 * @throws VringError ERR_SYSTEM: EBUSY (it has a program), EOPNOTSUPP (the mode that was asked for), EPERM, ENODEV
 */
export function attachXdp(program: KernelXdpProgram, ifindex: number, mode?: XdpMode): XdpAttachment {
  if (mode !== undefined) return attachIn(program, ifindex, mode)
  try {
    return attachIn(program, ifindex, 'native')
  } catch (error) {
    // EINVAL and ERANGE: the driver has native mode, but not with this MTU or these queues.
    if (!['EOPNOTSUPP', 'EINVAL', 'ERANGE'].includes(systemErrnoOf(error) ?? '')) throw error
    return attachIn(program, ifindex, 'generic')
  }
}

function attachIn(program: KernelXdpProgram, ifindex: number, mode: XdpMode): XdpAttachment {
  const attribute = new BpfAttribute(16)
    .u32(0, program.fd)
    .u32(4, ifindex)
    .u32(8, BPF_XDP)
    .u32(12, XDP_LINK_FLAGS[mode])
  const link = bpf(BPF_LINK_CREATE, attribute)
  if (link >= 0) return new Attachment(mode, 'link', () => closeFd(link))
  // A kernel without links says EINVAL to the command, one without links for XDP to the attach type.
  if (link !== -EINVAL)
    throw systemError('bpf', -link, `attaching ${program.name} in ${mode} mode to interface ${ifindex}`)
  setLinkXdp(ifindex, program.fd, mode)
  return new Attachment(mode, 'netlink', () => setLinkXdp(ifindex, -1, mode))
}

class Attachment implements XdpAttachment {
  readonly mode: XdpMode
  readonly by: 'link' | 'netlink'
  #detach: (() => void) | null

  constructor(mode: XdpMode, by: 'link' | 'netlink', detach: () => void) {
    this.mode = mode
    this.by = by
    this.#detach = detach
  }

  detach(): void {
    const detach = this.#detach
    this.#detach = null
    try {
      detach?.()
    } catch (error) {
      if (systemErrnoOf(error) !== 'ENODEV') throw error
    }
  }
}

/**
 * Does the kernel still hold the program with this number? It lives as long as a descriptor, an attachment or a pin does.
 *
 * @param id {@link KernelXdpProgram.id}, or what `linkInfo` says of an interface
 * @throws VringError ERR_SYSTEM: EPERM
 */
export function isProgramLoaded(id: number): boolean {
  const fd = bpf(BPF_PROG_GET_FD_BY_ID, new BpfAttribute(16).u32(0, id))
  if (fd >= 0) closeFd(fd)
  else if (fd !== -ENOENT) throw systemError('bpf', -fd, `program ${id}`)
  return fd >= 0
}
