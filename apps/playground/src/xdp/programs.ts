import { COUNTERS, XDP1, XDP2 } from './objects.ts'

/** A program that can be stepped. */
export interface ExampleProgram {
  readonly id: string
  readonly title: string
  readonly about: string
  readonly object: Uint8Array
  /** Name of the program in the object; undefined: its only one. */
  readonly program?: string
}

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))

export const PROGRAMS: readonly ExampleProgram[] = [
  {
    id: 'xdp1',
    title: 'xdp1: count by protocol, drop',
    about: 'Parses Ethernet and IP, counts the protocol in a map and drops the frame.',
    object: fromBase64(XDP1),
  },
  {
    id: 'xdp2',
    title: 'xdp2: swap addresses of UDP, send back',
    about: 'As xdp1, but a UDP frame goes back to its sender: watch its first twelve bytes.',
    object: fromBase64(XDP2),
  },
  {
    id: 'counters',
    title: 'counters: structures in maps',
    about: 'Counts frames and bytes in the structures of a hash map: the key is put together on the stack.',
    object: fromBase64(COUNTERS),
    program: 'count',
  },
]
