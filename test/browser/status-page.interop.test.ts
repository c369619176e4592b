import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DaemonProcess, until } from '../../apps/serve/test/daemon-process.ts'
import { TestDriver } from '../../apps/serve/test/test-driver.ts'
import { findBarriers } from './accessible.ts'
import { ARTIFACTS, type Look, noBrowser, pictureForDocs } from './browser.ts'
import { watchedVisits } from './visits.ts'

/** IPv4 and UDP, which xdp1 counts. */
const FRAME = new Uint8Array(60)
FRAME.set([0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17], 12)

describe.skipIf(noBrowser !== null)(`the status page in a browser${noBrowser === null ? '' : `: ${noBrowser}`}`, () => {
  const open = watchedVisits()
  let folder: string
  let daemon: DaemonProcess
  let drivers: TestDriver[]
  let url: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vring-page-'))
    const path = (name: string): string => join(folder, name)
    const capture = [`${path('vm1.pcapng')},snaplen=64`]
    const devices = [
      { name: 'vm1', socket: path('vm1.sock'), backend: 'loopback', capture },
      { name: 'vm2', socket: path('vm2.sock'), backend: 'drop', xdp: 'xdp1' },
    ]
    writeFileSync(path('devices.json'), JSON.stringify({ devices, metrics: '127.0.0.1:0' }))
    daemon = new DaemonProcess(['--config', path('devices.json')], { from: 'built' })
    url = (await daemon.says(/metrics on (\S+)\n/))[1]!
    drivers = devices.map(({ socket }) => new TestDriver(socket))
    // For as long as it takes to see a few rates of both.
    await until('charts', async () => {
      for (const [i, driver] of drivers.entries()) {
        let back = 0
        driver.send(Array(100 >> i).fill(FRAME))
        await until('frames', () => {
          back += driver.sent()
          return back === 100 >> i
        })
        driver.receive()
      }
      const html = await daemon.page('')
      // A page that loads itself again would do so while it is looked at.
      writeFileSync(path('page.html'), html.replace(/<meta http-equiv="refresh"[^>]*>/, ''))
      const lines = html.split('<polyline points="').slice(1)
      return lines.length === 6 && lines.every((line) => line.split('"')[0]!.split(' ').length > 2)
    })
  }, 120_000)
  afterAll(async () => {
    for (const driver of drivers ?? []) driver.close()
    await daemon.end('SIGTERM')
    rmSync(folder, { recursive: true })
  })

  test('is shown as its security policy allows', async () => {
    const page = await open(url, { viewport: 'desktop', scheme: 'light' })
    expect(await page.title()).toBe('vring-serve: 2 of 2 devices serve a driver')
  })

  test.each<Look>([
    { viewport: 'desktop', scheme: 'light' },
    { viewport: 'desktop', scheme: 'dark' },
    { viewport: 'phone', scheme: 'light' },
    { viewport: 'phone', scheme: 'dark' },
  ])('has no barriers while a driver sends: $viewport, $scheme', async (look) => {
    const page: Page = await open(pathToFileURL(join(folder, 'page.html')).href, look)
    await page.screenshot({ path: join(ARTIFACTS, `status-${look.viewport}-${look.scheme}.png`), fullPage: true })
    if (look.viewport === 'desktop' && look.scheme === 'light') await pictureForDocs(page, 'status', 765)
    expect(await findBarriers(page)).toEqual([])
    expect(await page.locator('h1').textContent()).toBe('vring-serve')
    expect(await page.getByRole('img').count()).toBe(6)
  })
})
