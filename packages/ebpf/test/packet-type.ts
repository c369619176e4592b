import { runAtOnce } from '../src/give-way.ts'
import {
  BASE_HELPERS,
  CSUM_DIFF,
  type EbpfProgram,
  EVENT_HELPERS,
  type Helper,
  type HookContext,
  helperTable,
  LOOP_HELPERS,
  type LoadProgramOptions,
  MAP_HELPERS,
  type ProgramType,
  type RawEbpf,
  signedResult,
  TAIL_CALL,
} from '../src/index.ts'
import { loadSteps } from '../src/load-program.ts'

/** What programs of the tests are given: a packet, with metadata before it. */
export class PacketContext implements HookContext {
  u8: Uint8Array
  data = 0
  dataMeta = 0
  dataEnd: number
  mark = 0

  constructor(u8: Uint8Array = new Uint8Array(0)) {
    this.u8 = u8
    this.dataEnd = u8.length
  }
}

const PULL: Helper<PacketContext> = {
  number: 44,
  name: 'pull',
  arguments: ['context', 'number'],
  result: 'number',
  movesPacket: true,
  create: (machine) => (_c, _r, delta) => {
    machine.context.data += delta
    return signedResult(0)
  },
}

const CHOOSE: Helper = {
  number: 51,
  name: 'choose',
  arguments: ['map', 'number', 'number'],
  result: 'number',
  maps: ['devmap', 'xskmap'],
  create: () => () => signedResult(0),
}

/** A program type over packets, with a helper that moves them. */
export const PACKET_TYPE: ProgramType<PacketContext> = {
  name: 'packet',
  number: 0,
  entry: {
    kind: 'context',
    fields: [
      { offset: 0, bytes: 4, role: 'packet', property: 'data' },
      { offset: 4, bytes: 4, role: 'packet-end', property: 'dataEnd' },
      { offset: 8, bytes: 4, role: 'packet-meta', property: 'dataMeta' },
      { offset: 12, bytes: 4, role: 'number', property: 'mark' },
      { offset: 16, bytes: 4, role: 'number', property: 'mark' },
    ],
  },
  helpers: helperTable<Helper<PacketContext>>(MAP_HELPERS, BASE_HELPERS, LOOP_HELPERS, EVENT_HELPERS, [
    CSUM_DIFF,
    TAIL_CALL,
    PULL,
    CHOOSE,
  ]),
  ownsSection: (section) => section.startsWith('xdp'),
}

/** Loads a program without giving way. */
export function loadPacketProgram(
  source: Uint8Array | RawEbpf,
  options: LoadProgramOptions = {},
): EbpfProgram<PacketContext> {
  return runAtOnce(loadSteps(PACKET_TYPE, source, options))
}
