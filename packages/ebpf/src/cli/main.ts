import { readFileSync } from 'node:fs'
import { isVringError, VringError } from '@vring/layout'
import { decode } from '../isa/decode.ts'
import { disassemble } from '../isa/disassemble.ts'
import { EbpfError } from '../isa/ebpf-error.ts'
import type { RawEbpf } from '../load-program.ts'
import { readObject } from '../object/read-object.ts'
import { loadRawProgram } from '../raw-program.ts'
import { hexBytes, isHex } from './hex.ts'

export const USAGE = `vring-ebpf: eBPF in process

  vring-ebpf run FILE|- [MEMORY] [--program NAME] [--interpret]
      runs it on memory (hex, at r1; its length in r2) and prints r0 in hex
  vring-ebpf verify FILE|- [--program NAME] [--memory BYTES]
      verifies each program, and says how many steps that took
  vring-ebpf disassemble FILE|- [--program NAME]
      prints instructions
  vring-ebpf objects FILE
      prints programs, maps and variables of an object

FILE is an object of clang, or a text of instructions in hex; - is such a text
on standard input. Programs are run and verified over plain memory, as other
user-space runtimes do; XDP programs run with @vring/xdp, and vring-serve --xdp.

As a plugin of bpf_conformance: [MEMORY] [--program HEX] without a command,
instructions on standard input.
`

/** What the command reads and writes. */
export interface Io {
  readonly stdin: () => string
  readonly out: (text: string) => void
  readonly error: (text: string) => void
}

interface Arguments {
  readonly positional: readonly string[]
  readonly options: ReadonlyMap<string, string>
}

const WITH_VALUE = new Set(['--program', '--memory'])
const FLAGS = new Set(['--interpret', '--help'])
const COMMANDS = ['run', 'verify', 'disassemble', 'objects'] as const

/** Runs the command. @returns the exit code: 0, 1 for a program or object that is refused, 2 for wrong arguments */
export async function main(args: readonly string[], io: Io): Promise<number> {
  try {
    const parsed = parse(args)
    if (parsed.options.has('--help') || args.length === 0) {
      io.out(USAGE)
      return 0
    }
    const [command = '', ...rest] = parsed.positional
    if (!(COMMANDS as readonly string[]).includes(command)) {
      if (!plugin(parsed)) throw usage(`command is ${command}; accepted: ${COMMANDS.join(', ')}`)
      const code = parsed.options.get('--program') ?? io.stdin()
      await run({ name: 'program', code: hexBytes(code, 'instructions') }, command, new Map(), io)
      return 0
    }
    await COMMAND[command as (typeof COMMANDS)[number]](rest, parsed.options, io)
    return 0
  } catch (error) {
    if (!isVringError(error)) throw error
    io.error(`vring-ebpf: ${error.message}\n`)
    return error.code === 'ERR_INVALID_ARGUMENT' && error.field === 'arguments' ? 2 : 1
  }
}

/** The plugin interface: memory in hex as the only argument, or none. */
function plugin({ positional }: Arguments): boolean {
  return positional.length === 0 || (positional.length === 1 && isHex(positional[0]!))
}

function usage(message: string): VringError {
  return new VringError('ERR_INVALID_ARGUMENT', `${message}\n\n${USAGE}`, { field: 'arguments' })
}

function parse(args: readonly string[]): Arguments {
  const positional: string[] = []
  const options = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const one = args[i]!
    if (WITH_VALUE.has(one)) {
      const value = args[++i]
      if (value === undefined) throw usage(`${one} needs a value`)
      options.set(one, value)
    } else if (FLAGS.has(one)) options.set(one, '')
    else if (one.startsWith('--')) throw usage(`unknown option ${one}`)
    else positional.push(one)
  }
  return { positional, options }
}

type Options = ReadonlyMap<string, string>

const COMMAND: Readonly<
  Record<(typeof COMMANDS)[number], (rest: readonly string[], options: Options, io: Io) => Promise<void> | void>
> = {
  run: async ([file, memory = ''], options, io) => await run(source(file, io), memory, options, io),
  verify: async ([file], options, io) => {
    const from = source(file, io)
    for (const name of programNames(from, options)) {
      const memoryBytes = Number(options.get('--memory') ?? 0)
      const given = { memoryBytes, ...(name === undefined ? {} : { program: name }) }
      const program = await overMemory(from, name, () => loadRawProgram(from, given))
      io.out(`${program.name}: accepted after ${program.verifiedInstructions} steps, ${program.engine}\n`)
    }
  },
  disassemble: ([file], options, io) => {
    const from = source(file, io)
    for (const { name, code, maps } of linked(from, options)) {
      io.out(`${name}:\n`)
      decode(code, maps).forEach((one, index) => {
        if (one !== null) io.out(`${String(index).padStart(6)}: ${disassemble(one)}\n`)
      })
    }
  },
  objects: ([file], _options, io) => {
    const from = source(file, io)
    if ('code' in from) throw usage('objects takes an object of clang')
    const object = readObject(from)
    io.out(`license ${object.license ?? '(none)'}\n`)
    for (const { name, section } of object.programs) io.out(`program ${name}, section ${section}\n`)
    for (const name of object.mapNames) io.out(describeMap(object, name))
  },
}

function describeMap(object: ReturnType<typeof readObject>, name: string): string {
  try {
    const { type, keyBytes, valueBytes, maxEntries, flags = 0, pinning, types, variables } = object.map(name)
    const key = types?.key === undefined ? `${keyBytes} bytes` : `${types.key} (${keyBytes} bytes)`
    const value = types?.value === undefined ? `${valueBytes} bytes` : `${types.value} (${valueBytes} bytes)`
    const pinned = pinning === 'by-name' ? ', pinned by name' : ''
    const known = (variables ?? []).map((one) => `  variable ${one.name}, ${one.bytes} bytes at ${one.offset}\n`)
    return `map ${name}, ${type}, key ${key}, value ${value}, ${maxEntries} entries, flags ${flags}${pinned}\n${known.join('')}`
  } catch (error) {
    if (!isVringError(error)) throw error
    return `map ${name}: ${error.message}\n`
  }
}

/** An object as bytes, or instructions. @throws VringError for a file that can't be read */
function source(file: string | undefined, io: Io): Uint8Array | RawEbpf {
  if (file === undefined) throw usage('FILE is missing')
  if (file === '-') return { name: 'program', code: hexBytes(io.stdin(), 'instructions') }
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new VringError('ERR_INVALID_ARGUMENT', `${file}: ${(cause as Error).message}`, { field: 'file', cause })
  }
  if (bytes[0] === 0x7f) return bytes
  return { name: 'program', code: hexBytes(new TextDecoder().decode(bytes), file) }
}

async function run(from: Uint8Array | RawEbpf, memory: string, options: Options, io: Io): Promise<void> {
  const bytes = hexBytes(memory, 'memory')
  const name = options.get('--program')
  const given = {
    memoryBytes: bytes.length,
    engine: options.has('--interpret') ? ('interpret' as const) : ('auto' as const),
    trace: (line: string) => io.error(`${line}\n`),
    ...(name === undefined || 'code' in from ? {} : { program: name }),
  }
  const program = await overMemory(from, name, () => loadRawProgram(from, given))
  io.out(`${program.run(bytes).toString(16)}\n`)
}

/** Loads a program. Where an XDP program is refused, which expects a context at r1, the message says what does load it. */
async function overMemory<T>(from: Uint8Array | RawEbpf, name: string | undefined, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof EbpfError) || 'code' in from) throw error
    const { programs } = readObject(from)
    const section = programs.find((one) => name === undefined || one.name === name)?.section ?? ''
    if (!section.startsWith('xdp')) throw error
    throw new VringError(
      error.code,
      `${error.message}; section ${section}: r1 of an XDP program is its context, and here plain memory; loadEbpf of @vring/xdp loads it`,
      { cause: error },
    )
  }
}

function programNames(from: Uint8Array | RawEbpf, options: Options): readonly (string | undefined)[] {
  if ('code' in from) return [undefined]
  const wanted = options.get('--program')
  return wanted === undefined ? readObject(from).programs.map(({ name }) => name) : [wanted]
}

/** Raw instructions name maps by numbers that only their loader knows: they are printed as they are. */
const ANY_MAP = Number.POSITIVE_INFINITY

function linked(
  from: Uint8Array | RawEbpf,
  options: Options,
): readonly { readonly name: string; readonly code: Uint8Array; readonly maps: number }[] {
  if ('code' in from) return [{ name: from.name, code: from.code, maps: ANY_MAP }]
  const wanted = options.get('--program')
  return readObject(from)
    .programs.filter(({ name }) => wanted === undefined || name === wanted)
    .map((one) => {
      const { name, code, maps } = one.link()
      return { name, code, maps: maps.length }
    })
}
