import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasFeature } from '@vring/layout'
import { UnixListener, unsupportedHost } from '@vring/linux'
import { MESSAGES, type RequestName, VhostUserDriver } from '@vring/vhost-user'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { blockCommand } from '../src/block/block-command.ts'
import { EXIT_MISSING, EXIT_TEMPORARY, EXIT_USAGE } from '../src/exit-codes.ts'
import { ServeError } from '../src/serve-error.ts'
import { DaemonProcess, until } from './daemon-process.ts'
import { NEED_REPLY, PROTOCOL, RawFrontend, REQUEST, words } from './raw-frontend.ts'

const reason = unsupportedHost()
const LIMIT_MS = 120_000
/** INDIRECT_DESC, PROTOCOL_FEATURES, VERSION_1. */
const features = (1n << 28n) | (1n << 30n) | (1n << 32n)
const [READ, IOERR] = [0, 1]

let folder: string
let socket: string
let disk: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vring-refused-'))
  socket = join(folder, 'blk.sock')
  disk = join(folder, 'disk')
  writeFileSync(disk, new Uint8Array(2 ** 16))
  writeFileSync(join(folder, 'odd'), new Uint8Array(1000))
  writeFileSync(join(folder, 'empty'), '')
  mkdirSync(join(folder, 'directory'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(reason !== null)(`a disk that is refused${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  /** `@name` stands for a file of the folder. */
  const inFolder = (text: string): string => text.replaceAll(/@(\w+)/g, (_, name: string) => join(folder, name))
  const whole = 'accepted: a regular file of one sector or more, a multiple of 512 bytes'

  test.each([
    ['--file @disk', EXIT_USAGE, '--socket: missing: vhost-user socket'],
    ['--socket @s', EXIT_USAGE, '--file: missing: A regular file, a multiple of 512 bytes'],
    ['--fil @disk', EXIT_USAGE, '--fil: unknown option; accepted: --socket, --file, .*; did you mean --file\\?'],
    ['--socket @s --socket @t', EXIT_USAGE, '--socket: is given twice: "@s", "@t"'],
    ['--socket @s --file @disk --queues 0', EXIT_USAGE, '--queues: "0" is not accepted; accepted: .* from 1 to 256'],
    ['--socket @s --file @disk --read-only=no', EXIT_USAGE, '--read-only: is a switch and takes no value'],
    [
      '--socket @s --file @disk --id 123456789012345678901',
      EXIT_USAGE,
      '--id: id is 1.*; accepted: at most 20 printable',
    ],
    ['--socket @s --file @disk --id ü', EXIT_USAGE, '--id: id is ü; accepted: at most 20 printable ASCII characters'],
    ['--socket @s --file @none', EXIT_MISSING, '--file: open: ENOENT \\(@none\\); not there'],
    ['--socket @s --file @odd/x', EXIT_USAGE, '--file: open: ENOTDIR \\(@odd/x\\); not a directory'],
    ['--socket @s --file @directory', EXIT_USAGE, '--file: open: EISDIR \\(@directory\\); a directory'],
    ['--socket @s --file @directory --read-only', EXIT_USAGE, `--file: file @directory is no regular file; ${whole}`],
    ['--socket @s --file /dev/null', EXIT_USAGE, `--file: file /dev/null is no regular file; ${whole}`],
    ['--socket @s --file @empty', EXIT_USAGE, `--file: file @empty is 0 bytes; ${whole}`],
    ['--socket @s --file @odd', EXIT_USAGE, `--file: file @odd is 1000 bytes; ${whole}`],
    [
      '--socket @disk --file @disk',
      EXIT_USAGE,
      '--socket: path is .*, which is a regular file; accepted: a path where',
    ],
    ['--socket @none/s --file @disk', EXIT_MISSING, '--socket: bind: ENOENT \\(@none/s\\); not there'],
    [`--socket @${'s'.repeat(120)} --file @disk`, EXIT_USAGE, '--socket: path is .*; accepted: 1 to 107 bytes'],
    ['--socket @busy --file @disk', EXIT_TEMPORARY, '--socket: bind: EADDRINUSE \\(@busy\\); in use'],
  ])('%s', { timeout: LIMIT_MS }, async (args, exitCode, message) => {
    const busy = UnixListener.listen(inFolder('@busy'))
    const lines: string[] = []
    const error = await blockCommand(inFolder(args).split(' '), AbortSignal.timeout(LIMIT_MS), (line) => {
      lines.push(line)
    }).catch((thrown: unknown) => thrown)
    busy.close()
    expect(lines).toEqual([])
    expect(error).toBeInstanceOf(ServeError)
    expect(error).toMatchObject({ exitCode, message: expect.stringMatching(new RegExp(`^${inFolder(message)}`)) })
  })

  test('is the one line that the program prints', { timeout: LIMIT_MS }, async () => {
    const daemon = new DaemonProcess(['block', '--socket', socket, '--file', inFolder('@odd')])
    expect(await daemon.exit()).toBe(EXIT_USAGE)
    expect(daemon.output).toBe(`vring-serve: --file: file ${inFolder('@odd')} is 1000 bytes; ${whole}\n`)
  })
})

describe.skipIf(reason !== null)(
  `what a disk refuses of its driver${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    const stop = new AbortController()
    let ended: Promise<string | null>
    let frontend: RawFrontend | undefined
    /** What was told since the test began. */
    const lines: string[] = []
    const told = (pattern: RegExp) => (): boolean => lines.some((line) => pattern.test(line))
    beforeAll(async () => {
      ended = blockCommand(['--socket', socket, '--file', disk], stop.signal, (line) => void lines.push(line))
      await until('its socket', told(/^listening on/))
    }, LIMIT_MS)
    afterAll(async () => {
      stop.abort()
      await ended
    })
    beforeEach(() => void lines.splice(0))
    afterEach(async () => {
      frontend?.close()
      frontend = undefined
      await until('the end of the session', told(/^the driver('s session ended| hung up)/))
    })
    const refusals = (): string[] => lines.filter((line) => !/^a driver connected|^the driver hung up/.test(line))
    /** The one line that tells of what was sent. */
    async function refusal(): Promise<string> {
      await until('a line', () => refusals().length > 0)
      expect(refusals().slice(1)).toEqual([])
      return refusals()[0]!
    }

    test.each(Object.keys(MESSAGES) as RequestName[])('%s of a size that it never has', async (name) => {
      const { id, reply, requires } = MESSAGES[name]
      frontend = await RawFrontend.negotiate(socket, { features })
      frontend.send(id, new Uint8Array(1), [], NEED_REPLY)
      const why = `${name} payload size is 1; accepted: [\\d to]+`
      // The answer of a request that asks has no way to say no.
      const asks = reply !== null && (requires === null || hasFeature(PROTOCOL, requires))
      const line = asks ? `the driver's session ended: ${why}` : `refused ${name}: ${why}; the driver was told`
      expect(await refusal()).toMatch(new RegExp(`^${line}$`))
    })

    test.each([
      [
        'a value, with an answer',
        REQUEST.SET_VRING_NUM,
        words(0, 3),
        NEED_REPLY,
        'refused SET_VRING_NUM: .*; the driver was told',
      ],
      [
        'a value of a ring',
        REQUEST.SET_VRING_NUM,
        words(0, 3),
        0,
        'refused SET_VRING_NUM: .*; its ring does not run until',
      ],
      [
        'a queue that is not there',
        REQUEST.SET_VRING_NUM,
        words(9, 8),
        0,
        "the driver's session ended: .* is 9; accepted: ",
      ],
      [
        'features',
        REQUEST.SET_FEATURES,
        words(1n << 15n),
        0,
        "the driver's session ended: SET_FEATURES is VIRTIO_BLK_F_L",
      ],
      [
        'no request',
        99,
        words(),
        NEED_REPLY,
        'refused an unknown request: request is request 99; accepted: .*; the driver',
      ],
      [
        'one of a feature that is not served',
        28,
        words(),
        NEED_REPLY,
        'refused an unknown request: request is POSTCOPY_ADVISE;',
      ],
      [
        'one of a feature that is not negotiated',
        MESSAGES.GET_CONFIG.id,
        words(0, 0, 0),
        NEED_REPLY,
        'refused GET_CONFIG: GET_CONFIG is sent; accepted: .* negotiated first; the driver was told',
      ],
      ['another version', REQUEST.SET_OWNER, words(), 2, "the driver's session ended: version"],
    ])('%s', async (_, request, payload, flags, text) => {
      frontend = await RawFrontend.negotiate(socket, { features })
      frontend.send(request, payload, [], flags)
      expect(await refusal()).toMatch(new RegExp(`^${text}`))
    })

    test('a ring that is malformed', async () => {
      frontend = await (await RawFrontend.negotiate(socket, { features })).start(1)
      frontend.rings[0]!.offer(300)
      expect(await refusal()).toBe('queue 0 is broken: head-out-of-range; its driver has to reset it')
    })

    test('a request for sectors is answered, counted, and not told', async () => {
      const driver = VhostUserDriver.connect({ path: socket, features })
      expect(driver.request(0, [words(READ, 0, 2n ** 40n)], 513).bytes[512]).toBe(IOERR)
      driver.close()
      await until('the end of the session', told(/^the driver hung up/))
      expect(refusals()).toEqual([])
      stop.abort()
      await ended
      expect(refusals()).toEqual(['stopped; 0 reads, 0 writes, 0 flushes, 1 errors'])
    })
  },
)
