import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unsupportedHost } from '@vring/linux'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ModelProcess } from '../test/model-process.ts'
import { main } from './main.ts'

/** What was written to both, without what vitest itself writes. */
let out = ''
let err = ''
beforeEach(() => {
  out = ''
  err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('vhost-user-conformance', () => {
  test('lists its cases, and ends with 0', async () => {
    expect(await main(['--list', '--only', 'rings/'])).toBe(0)
    expect(out.split('\n').length).toBeGreaterThan(20)
    expect(out).toContain('rings/runs\tMUST\tvhost-user: Ring states\t')
  })

  test.each([
    [['--sokcet', 'x'], '--sokcet: '],
    [['--socket', 'x', '--only', 'nonsense'], '--only nonsense: no case has this'],
    [['--socket', 'x'.repeat(200)], '--socket: path is '],
  ])('ends with 2 for %j', async (given, message) => {
    expect(await main(given)).toBe(2)
    expect(err).toContain(`vhost-user-conformance: ${message}`)
  })

  test('ends with 4 where no process listens, and where the back-end does not start', async () => {
    expect(await main(['--socket', '/nowhere/x.sock', '--patience', '50'])).toBe(4)
    expect(err).toMatch(/x\.sock: no back-end answers GET_FEATURES here: .*\(ENOENT: nothing is at this path\)/)
    expect(await main(['--socket', '/nowhere/x.sock', '--spawn', 'echo sorry {socket}; exit 7'])).toBe(4)
    expect(err).toContain('the back-end ended (exit code 7) before it answered:\nsorry /nowhere/x.sock')
  })
})

const reason = unsupportedHost()

describe.skipIf(reason !== null)(`a judgement${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let model: ModelProcess
  let folder: string
  beforeAll(() => {
    model = new ModelProcess()
    folder = mkdtempSync(join(tmpdir(), 'vring-judgement-'))
  })
  afterAll(async () => {
    await model.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('of a back-end that is right ends with 0; the report on standard output has it for itself', async () => {
    const socket = await model.become('net', 'none')
    expect(await main(['--socket', socket, '--device', 'net', '--only', 'negotiation/', '--json', '-'])).toBe(0)
    const report = JSON.parse(out) as { summary: { all: { fail: number; pass: number } } }
    expect(report.summary.all.fail).toBe(0)
    expect(report.summary.all.pass).toBeGreaterThan(10)
    expect(err).toMatch(/^pass {2}MUST/m)
  })

  test('in which a MUST failed ends with 3, in a file that says why', async () => {
    const socket = await model.become('net', 'wrong-base')
    const junit = join(folder, 'junit.xml')
    const given = ['--socket', socket, '--device', 'net', '--only', 'rings/stop-index', '--quiet', '--junit', junit]
    expect(await main(given)).toBe(3)
    expect(out).toMatch(/^fail {2}MUST {8}rings\/stop-index /m)
    expect(readFileSync(junit, 'utf8')).toContain('the index after 5 requests is 6, not 5')
  })
})
