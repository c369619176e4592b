import { parseBackend } from '../../apps/serve/src/config/backend-spec.ts'
import { parseMetricsAddress } from '../../apps/serve/src/config/config.ts'
import { parseSettings } from '../../apps/serve/src/config/settings.ts'
import { ServeError } from '../../apps/serve/src/serve-error.ts'
import { expectThat, type FuzzTarget } from '../engine/target.ts'

/** Parses, or sees a refusal: exit code 2 and one line that names what was given. */
function refusedOr<T>(parse: () => T): T | null {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof ServeError)) throw error
    expectThat(error.exitCode === 2, `exit code ${error.exitCode}: ${error.message}`)
    expectThat(error.message.startsWith('--'), `names no argument: ${error.message}`)
    return null
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export const target: FuzzTarget = {
  name: 'configuration',
  description:
    'a configuration file, a backend and an address as text: they are read, or refused by a line that names them',
  unit: 'texts',
  maxBytes: 1024,
  seeds: [
    '{}',
    '{"socket":"/run/x.sock","backend":"tap:vring0","client":true,"queues":2,"mtu":1500,"metrics":"127.0.0.1:9101"}',
    '{"socket":"x","backend":"replay:a.pcap","pace":"asap","loop":true,"plugin":["./a.mjs"],"accessor":"vmap-direct"}',
    'af-xdp:eth0:3',
    'pcap:file.pcapng',
    '[::1]:9101',
    '127.0.0.1:0',
  ].map(text),
  dictionary: [
    'socket',
    'backend',
    'queues',
    'metrics',
    'plugin',
    'null',
    '__proto__',
    '1e309',
    '-0',
    '\\u0000',
    ':',
    '[',
    ']',
    'tap:',
    'af-xdp:',
  ].map(text),
  run(input) {
    const given = new TextDecoder().decode(input)
    const settings = refusedOr(() => parseSettings(given, 'file').settings)
    if (settings !== null) {
      const again = parseSettings(JSON.stringify(settings), 'file').settings
      expectThat(
        JSON.stringify(again) === JSON.stringify(settings),
        `${JSON.stringify(settings)} is read back otherwise`,
      )
    }
    refusedOr(() => parseBackend(given))
    const address = refusedOr(() => parseMetricsAddress(given))
    if (address !== null) expectThat(address.port >= 0 && address.port <= 65_535, `port ${address.port}`)
    return 1
  },
}
