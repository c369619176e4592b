import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))
/** README, and the reference after it. */
const README = ['apps/serve/README.md', 'docs/serve.md']
  .map((name) => readFileSync(join(REPOSITORY, name), 'utf8'))
  .join('\n')
const LIMIT_MS = 90_000

/** What is typed, by the heading that it stands under. */
interface Block {
  readonly heading: string
  readonly language: string
  readonly text: string
}
const blocks: Block[] = []
let heading = ''
for (const [, title, language, text] of README.matchAll(/^#+ (.+)$|^```(\w*)\n([\s\S]*?)^```$/gm)) {
  if (title !== undefined) heading = title
  else blocks.push({ heading, language: language!, text: text! })
}
const typed = (title: string, language = 'sh'): string[] =>
  blocks.filter((one) => one.heading === title && one.language === language).map(({ text }) => text)

/** Blocks that run elsewhere, or can't be run by a test. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  Install: 'packages are not published yet',
  'With a QEMU guest': 'guest.interop.test.ts boots such guests',
  Soak: 'soak.interop.test.ts, for a few seconds',
}
/** Commands of a figure, which take minutes. */
const isFigure = (text: string): boolean => text.includes('apps/serve/figures/')

const DRIVER = `${process.execPath} --import tsx --conditions=@vring/source apps/serve/test/readme-driver.ts`
const INSTEAD_OF_NC = `#!/usr/bin/env node
const socket = require('node:net').connect(process.argv[3])
process.stdin.pipe(socket).pipe(process.stdout)
`

const reason =
  unsupportedHost() ??
  (process.getuid?.() === 0 ? null : 'needs root') ??
  ['curl', 'tshark', 'dpdk-testpmd', 'setpriv', 'systemctl', 'systemd-socket-activate'].find(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  ) ??
  null

describe.skipIf(reason !== null)(`README${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vring-readme-'))
    for (const name of ['bin', 'rest', 'tmp', 'run/vring']) mkdirSync(join(folder, name), { recursive: true })
    symlinkSync(join(REPOSITORY, 'apps/serve/dist/cli.js'), join(folder, 'bin/vring-serve'))
    writeFileSync(join(folder, 'rest/nc'), INSTEAD_OF_NC, { mode: 0o755 })
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** Paths of the reader's system, in a folder of this test. */
  const here = (text: string): string =>
    text
      .split(folder)
      .map((part) => part.replaceAll(/(?<![\w.])\/(tmp|run|etc)\//g, `${folder}/$1/`))
      .join(folder)

  /**
   * Types lines into a shell of a network and PID namespace of its own: what they leave in the background ends with it. What
   * they write is returned.
   */
  function type(...lines: string[]): string {
    const script = ['set -e', 'ip link set lo up', ...lines.map(here)].join('\n')
    const path = `${folder}/bin:${process.env['PATH']}:${folder}/rest`
    const namespaces = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc']
    const { status, stdout, stderr } = spawnSync('unshare', [...namespaces, 'bash', '-c', script], {
      cwd: REPOSITORY,
      encoding: 'utf8',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, PATH: path },
    })
    expect(status, `${script}\n${stdout}\n${stderr}`).toBe(0)
    return stdout + stderr
  }
  /** A command that goes on, in the background. */
  const begin = (text: string): string => `${text.trimEnd()} &`
  const listening = (socket: string): string => `until [ -S ${socket} ]; do sleep 0.1; done`

  test('each command is typed by a test, or it is said where it runs', () => {
    const sources = readFileSync(fileURLToPath(import.meta.url), 'utf8')
    const left = blocks
      .filter(({ language, text }) => (language === 'sh' || language === 'json') && !isFigure(text))
      .map((one) => one.heading)
      .filter((title) => !(title in ELSEWHERE) && !sources.includes(`typed('${title}'`))
    expect(left).toEqual([])
    expect(Object.keys(ELSEWHERE).filter((title) => typed(title).length === 0)).toEqual([])
  })

  test('the quickest try: testpmd, a program and the metrics', { timeout: LIMIT_MS }, () => {
    const [serve, drive] = typed('Use it')
    type(
      begin(serve!),
      listening('/tmp/vring.sock'),
      begin(`sleep 60 | ${drive}`),
      `until curl -s 127.0.0.1:9101/metrics | grep -q '^vring_xdp_program_packets_total{counter="rxcnt.17."} [1-9]'; do sleep 0.2; done`,
    )
  })

  test('two guests are connected', { timeout: LIMIT_MS }, () => {
    const [connect] = typed('Connect two guests')
    type(connect!, listening('/tmp/vm1.sock'), listening('/tmp/vm2.sock'), `${DRIVER} /tmp/vm1.sock /tmp/vm2.sock`)
  })

  test('a prepared TAP is opened without any privilege', { timeout: LIMIT_MS }, () => {
    const [prepare] = typed('A TAP without any privilege')
    const user = 'setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all'
    const output = type(
      'SUDO_UID=65534',
      prepare!,
      `chown -R 65534 ${folder}`,
      `chmod 755 ${folder}`,
      begin(`${user} vring-serve --socket /tmp/vm3.sock --backend tap:vm3`),
      listening('/tmp/vm3.sock'),
      `${DRIVER} /tmp/vm3.sock`,
      'ip -s link show vm3',
    )
    expect(output).toMatch(/RX: .*\n *\d+ +[1-9]/)
  })

  test('a guest is on a veth', { timeout: LIMIT_MS }, () => {
    const [serve] = typed('Put a guest on a veth')
    const output = type(
      begin(serve!),
      listening('/tmp/vm.sock'),
      `${DRIVER} /tmp/vm.sock`,
      'until ip -s link show vmB | grep -A1 RX: | grep -q "^ *[0-9]* *[1-9]"; do sleep 0.1; done',
    )
    expect(output).toMatch(/txvlan is off now/)
  })

  test('a program reads a capture along', { timeout: LIMIT_MS }, () => {
    const [capture] = typed('Capture beside the datapath')
    expect(capture).toContain('wireshark -k -i')
    type(
      begin(capture!.replace('wireshark -k -i /tmp/live', 'tshark -l -i /tmp/live >/tmp/seen')),
      listening('/tmp/vm.sock'),
      `until grep -q 0x88b5 /tmp/seen; do ${DRIVER} /tmp/vm.sock; done`,
    )
  })

  test('several devices are served, and what they take is shown', { timeout: LIMIT_MS }, () => {
    const [config] = typed('Several devices', 'json')
    const [serve] = typed('Several devices')
    writeFileSync(join(folder, 'devices.json'), here(config!))
    const output = type(
      'ip link add eth1 type veth peer name eth2 && ip link set eth1 up && ip link set eth2 up',
      serve!.replace('devices.json', `${folder}/devices.json`).replace('sleep 5', listening('/run/vring/control.sock')),
      `${DRIVER} /run/vring/vm2.sock`,
    )
    expect(output).toMatch(/^process_resident_memory_bytes \d+$/m)
  })

  test('pairs are shared out over threads', { timeout: LIMIT_MS }, () => {
    const [serve] = typed('Several threads')
    const output = type(begin(serve!), listening('/tmp/vm.sock'), `${DRIVER} /tmp/vm.sock`)
    expect(output).toMatch(/4 queue pairs over 4 threads/)
  })

  test('a running daemon takes each command of the table', { timeout: LIMIT_MS }, () => {
    const [show] = typed('Change a running daemon')
    const device = { name: 'vm1', socket: here('/run/vring/vm1.sock'), backend: 'tap:vm1' }
    writeFileSync(join(folder, 'devices.json'), JSON.stringify({ devices: [device] }))
    const commands = [...README.matchAll(/^\| `(\{"command".*?\})` \|/gm)].map(([, command]) => command!)
    expect(commands).toHaveLength(6)
    const output = type(
      begin(`vring-serve --config ${folder}/devices.json --control /run/vring/control.sock`),
      listening('/run/vring/control.sock'),
      ...commands.map((command) => show!.replace('{"command":"show"}', command)),
    )
    expect(output.match(/^\{"ok":true/gm)).toHaveLength(6)
  })

  test('single frames are timed, and what an idle daemon takes is shown', { timeout: LIMIT_MS }, () => {
    const [latency, idle] = typed('How long it takes, and what it costs to wait')
    const output = type(latency!.replace('10000', '200'), idle!.replace('sleep 10', 'sleep 1'))
    expect(output).toMatch(
      /^daemon asleep +200 [\s\S]*^process_cpu_seconds_total [\s\S]*^process_resident_memory_bytes /m,
    )
  })

  test('a service manager hands over the socket, reads that it is ready and finds its units', {
    timeout: LIMIT_MS,
  }, () => {
    const [install] = typed('Run it under systemd, and let libvirt find it')
    mkdirSync(join(folder, 'etc/systemd/system'), { recursive: true })
    const offline = `systemctl() { [ "$1" = daemon-reload ] || command systemctl --root=${folder} enable "$3"; }`
    const [, command] = /^ExecStart=\/usr\/bin\/(.*)$/m.exec(
      readFileSync(join(REPOSITORY, 'apps/serve/systemd/vring-serve@.service'), 'utf8'),
    )!
    type(
      offline,
      'cd apps/serve',
      install!,
      'cd ../..',
      'test -L /etc/systemd/system/sockets.target.wants/vring-serve@vm1.socket',
      begin(`systemd-socket-activate -l /run/vring/vm1.sock ${command!.replace('%i', 'vm1')}`),
      listening('/run/vring/vm1.sock'),
      `${DRIVER} /run/vring/vm1.sock`,
      'curl -s 127.0.0.1:9101/metrics | grep -q "^vring_sessions_total 1"',
    )
  })
})
