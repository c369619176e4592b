import { spawnSync } from 'node:child_process'
import type { Server } from 'node:http'
import { join } from 'node:path'
import * as accessor from '@vring/accessor'
import { catalogue as catalogueOf } from '@vring/explorer'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../scripts/workspace.ts'
import { findBarriers, tabOrder } from './accessible.ts'
import { ARTIFACTS, type Look, noBrowser, pictureForDocs, serveFolder, textOf } from './browser.ts'
import { watchedVisits } from './visits.ts'

const catalogue = catalogueOf(accessor)
const folder = join(repositoryRoot, 'apps/playground')
const DESKTOP: Look = { viewport: 'desktop', scheme: 'light' }

describe.skipIf(noBrowser !== null)(`the playground in a browser${noBrowser === null ? '' : `: ${noBrowser}`}`, () => {
  const open = watchedVisits()
  let server: Server
  let url: string

  beforeAll(async () => {
    const vite = join(repositoryRoot, 'node_modules/vite/bin/vite.js')
    const built = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: folder, encoding: 'utf8' })
    expect(built.status, built.stderr).toBe(0)
    const served = await serveFolder(join(folder, 'dist'))
    url = served.url
    server = served.server
  })
  afterAll(() => {
    server?.close()
  })

  const visit = (look: Look = DESKTOP, fragment = ''): Promise<Page> => open(url + fragment, look)

  const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click()
  const now = (page: Page): Promise<string> => textOf(page.locator('#ring-view .now'))
  const chips = (page: Page): Promise<string[]> =>
    page.getByRole('list', { name: 'Steps of this access' }).locator('li').allTextContents()
  const region = (page: Page, name: string | RegExp) => page.getByRole('region', { name })
  /** Steps until what happens contains `text`; in the page, as a visit a step would take long. */
  async function stepTo(page: Page, text: string): Promise<void> {
    const reached = await page.evaluate((wanted) => {
      const view = document.getElementById('ring-view')!
      const happens = (): boolean => view.querySelector('.now')!.textContent.includes(wanted)
      for (let steps = 0; !happens() && steps < 60; steps++)
        view.querySelector<HTMLButtonElement>('.transport .primary')!.click()
      return happens()
    }, text)
    expect(reached, `came to ${text}`).toBe(true)
  }

  test('a packed ring is drawn and stepped: flags first, the used descriptor over the available one', async () => {
    const page = await visit()
    await press(page, 'One packet, packed ring')
    expect(await now(page)).toBe('begins a round')
    const drawing = page.locator('.ring-drawing svg')
    expect(await drawing.getAttribute('aria-label')).toContain('slot 0 available 0')
    await stepTo(page, 'loads desc[0].flags → 0x80')
    expect(await page.locator('.ring-drawing .slot.read').count()).toBe(1)
    await stepTo(page, 'the round ends')
    expect(await drawing.getAttribute('aria-label')).toContain('slot 0 used 0')
  })

  test('a packet is stepped one access at a time, the cell just accessed marked, its steps named', async () => {
    const page = await visit()
    await press(page, 'Reset')
    await press(page, 'Add a chain of 3')
    await press(page, 'Publish')
    expect(await now(page)).toBe('publishes avail.idx = 1')
    await press(page, 'Step')
    await press(page, 'Step')
    expect(await now(page)).toBe('loads avail.idx → 1')
    expect(await chips(page)).toEqual(['stac', 'lfence', 'walk', 'load', 'clac'])
    const marked = region(page, 'Avail ring').locator('.read')
    expect(await marked.count()).toBe(1)
    expect(await textOf(marked)).toContain('1')
    await stepTo(page, 'loads desc[2]')
    expect(
      await region(page, 'Descriptor table')
        .locator('tr', { has: page.locator('.read') })
        .count(),
    ).toBe(1)
    await stepTo(page, 'stores used.ring[0]')
    expect(await region(page, 'Used ring').locator('.written').count()).toBe(2)
    await stepTo(page, 'the round ends: empty')
    expect(await textOf(region(page, /Steps of the Cpu port; 1 packet/))).toContain('stac')
    await press(page, 'Back')
    await press(page, 'First')
    expect(await now(page)).toBe('the device begins with copy-checked')
  })

  test('an address names a story and a moment; the arrows walk it, what the device saw beside what memory says', async () => {
    const page = await visit(DESKTOP, '#ring/deaf-to-the-notifier/0')
    expect(await now(page)).toBe('the device begins with vmap-direct-deaf')
    await page.getByText('One packet, by copies', { exact: true }).waitFor()
    const titles = await page.locator('.stories li:not(.next) button').allTextContents()
    await page.keyboard.press('ArrowRight')
    expect(new URL(page.url()).hash).toBe('#ring/deaf-to-the-notifier/1')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    expect(new URL(page.url()).hash).toBe('#ring/deaf-to-the-notifier/0')
    await press(page, 'Last')
    const seen = region(page, 'What the device saw, what memory says')
    // The freed frame, and what the driver published in the one that took its place.
    expect(await textOf(seen.locator('tr', { hasText: 'avail.idx' }))).toMatch(/0xaaaa.*0x0001/)
    expect(await seen.locator('.bad').count()).toBeGreaterThan(0)
    await press(page, 'Next story')
    expect(new URL(page.url()).hash).toContain('#ring/copy-on-write-after-a-fork/')
    expect(titles.indexOf('Copy-on-write after a fork')).toBe(titles.indexOf('Deaf to the notifier') + 1)
    // With an action of the reader it is no story any more.
    await press(page, 'Add a buffer')
    expect(new URL(page.url()).hash).toBe('#ring')
  })

  test('an indirect table is read, a loop breaks the queue, setting up again mends it', async () => {
    const page = await visit()
    await press(page, 'Reset')
    await press(page, 'Add an indirect table')
    await press(page, 'Publish')
    await stepTo(page, 'reads 16 bytes')
    expect(await textOf(region(page, /Page table/).locator('.read'))).toContain('buffers')
    await press(page, 'Last')
    await press(page, 'Add a loop (hostile)')
    await press(page, 'Publish')
    await press(page, 'Step')
    await press(page, 'Last')
    expect(await now(page)).toBe('the round ends: broken, chain-too-long')
    await press(page, 'Set the ring up again')
    await press(page, 'Step')
    await press(page, 'Last')
    expect(await now(page)).toBe('the round ends: empty')
  })

  test('an invalidation in mid-round takes the mapping, the store falls back, the next round maps again', async () => {
    const page = await visit()
    await page.getByLabel('Accessor', { exact: true }).selectOption('vmap-direct')
    await press(page, 'Begin again with it')
    await press(page, 'Add a buffer')
    await press(page, 'Publish')
    await stepTo(page, 'loads desc[0]')
    const mappings = region(page, 'Direct mappings of the device').locator('tbody')
    expect(await mappings.locator('tr').count()).toBe(3)
    await page.getByLabel('Pages of').selectOption('device')
    await press(page, 'Migrate')
    expect(await now(page)).toBe('Migrate: device')
    expect(await textOf(mappings)).not.toContain('device')
    await press(page, 'Back')
    expect(await now(page)).toBe('invalidate_range_end: clear, device')
    await press(page, 'Back')
    expect(await now(page)).toBe('invalidate_range_start: clear, device')
    expect(await page.getByText('Open invalidations: 1').count()).toBe(1)
    await stepTo(page, 'stores used.ring[0]')
    expect(await textOf(page.locator('#ring-view .detail'))).toContain('fallback:notifier-busy')
    await stepTo(page, 'the round ends')
    await press(page, 'Step')
    expect(await mappings.locator('tr').count()).toBe(3)
    await press(page, 'Undo')
    await press(page, 'Undo')
    expect(await now(page)).toBe('loads desc[0]')
    await press(page, 'Redo')
    expect(await now(page)).toContain('the round ends')
  })

  test('every event of memory is a story of its own, and a mapping that outlives its page is named stale', async () => {
    const page = await visit()
    await press(page, 'Deaf to the notifier')
    expect(await textOf(region(page, 'Direct mappings of the device').locator('.bad'))).toContain('stale')
    expect(await page.getByText('The mapping of driver outlived its page.').count()).toBe(1)
    await page.screenshot({ path: join(ARTIFACTS, 'playground-stale.png') })
    await press(page, 'Last')
    expect(await now(page)).toContain('avail-idx-jump')
    await press(page, 'Reset')
    for (const event of [
      'Fork',
      'Write-protect',
      'Allow writes',
      'NUMA hint',
      'Swap out',
      'Drop',
      'Unmap',
      'Map again',
    ]) {
      await press(page, event)
      expect(await now(page)).toContain(event)
      expect(await page.locator('#ring-view .now.fault').count()).toBe(0)
    }
  })

  test('accessors with their options are switched on a running queue', async () => {
    const page = await visit()
    await press(page, 'Reset')
    const accessor = page.getByLabel('Accessor', { exact: true })
    let packets = 0
    for (const [name, option, value, steps] of [
      ['nospec-masked', 'era', '6.18', 'mask'],
      ['vmap-direct', 'sync', 'rcu', 'load'],
      ['copy-checked', 'era', '2025-checked', 'mask'],
    ] as const) {
      await accessor.selectOption(name)
      await page.getByLabel(option, { exact: true }).selectOption(value)
      await press(page, 'Switch, ring running')
      expect(await now(page)).toContain(`${name} takes the queue over`)
      await press(page, 'Add a buffer')
      await press(page, 'Publish')
      await stepTo(page, 'loads avail.idx')
      expect(await chips(page)).toContain(steps)
      await press(page, 'Last')
      packets++
      expect(await textOf(region(page, /Steps of the Cpu port/))).toContain(`${packets} packet`)
    }
    await accessor.selectOption('iotlb-translated')
    await press(page, 'Switch, ring running')
    await press(page, 'Step')
    expect(await now(page)).toContain('a translation is missing')
    await press(page, 'Answer misses')
    const entries = region(page, /Device IOTLB/).locator('tbody tr')
    // The used index that the queue begins with, and the first area that the round asks for.
    expect(await entries.count()).toBe(2)
    await press(page, 'Translate all')
    await stepTo(page, 'the round ends: miss')
    await stepTo(page, 'loads avail.idx')
    expect(await textOf(page.locator('#ring-view .detail'))).toContain('load16Acquire at driver + 2')
  })

  test('the accessor that serves is the one that is named, and what is chosen meanwhile stays', async () => {
    const page = await visit()
    await press(page, 'Deaf to the notifier')
    const accessor = page.getByLabel('Accessor', { exact: true })
    expect(await accessor.inputValue()).toBe('vmap-direct-deaf')
    await page.getByText('Serves now: vmap-direct-deaf', { exact: true }).waitFor()
    await page.getByText('the device is not told that the page of the avail ring has moved').waitFor()
    await press(page, 'Reset')
    expect(await page.getByText('the device is not told').count()).toBe(0)
    await press(page, 'Undo')
    expect(await page.getByText('the device is not told').count()).toBe(1)
    await accessor.selectOption('nospec-masked')
    await press(page, 'Step')
    await press(page, 'Step')
    expect(await accessor.inputValue()).toBe('nospec-masked')
    await press(page, 'Switch, ring running')
    await page.getByText('Serves now: nospec-masked', { exact: true }).waitFor()
    await press(page, 'Undo')
    expect(await accessor.inputValue()).toBe('vmap-direct-deaf')
  })

  test('opens its schedules with one that is short, and marks the step that goes wrong', async () => {
    const page = await visit(DESKTOP, '#schedules')
    const wrong = region(page, 'Schedule, a column a thread').locator('tr.goes-wrong')
    await wrong.waitFor()
    expect(await wrong.count()).toBe(1)
    // It is where the schedule opens.
    expect(await wrong.getAttribute('aria-current')).toBe('step')
    expect(new URL(page.url()).hash).toMatch(/^#schedules\/m24\/\d+$/)
    const groups = page.getByLabel('Entry').locator('optgroup')
    expect(await groups.count()).toBe(4)
    expect(await groups.locator('option').count()).toBe(catalogue.length)
  })

  test('a schedule is found in the page and replayed thread by thread; what ships has no finding', async () => {
    const page = await visit(DESKTOP, '#schedules')
    const entry = page.getByLabel('Entry')
    await entry.waitFor()
    expect(await entry.locator('option').count()).toBe(catalogue.length)
    const result = page.getByRole('status').filter({ hasText: /after \d+ steps|no finding|Exploring|Not explored/ })
    for (const id of ['M16', 'fix 9', 'M26']) {
      await entry.selectOption(id)
      await page.getByRole('button', { name: 'Find the shortest schedule' }).click()
      await result.filter({ hasText: / after \d+ steps/ }).waitFor()
      const { expected } = catalogue.find((candidate) => candidate.id === id)!
      expect(await textOf(result)).toContain(expected)
      const timeline = region(page, 'Schedule, a column a thread')
      const steps = await timeline.locator('tbody tr').count()
      const view = page.locator('#schedules-view')
      await press(page, 'First')
      for (let step = 1; step <= 5; step++) await press(page, 'Step')
      expect(await textOf(view.locator('.place'))).toContain(`step 5 of ${steps}`)
      expect(await textOf(timeline.locator('tr[aria-current="step"] th'))).toBe('5')
      expect(await region(page, 'As loaded or stored last').locator('tbody tr').count()).toBeGreaterThan(0)
      await press(page, 'Last')
      expect(await textOf(view.locator('.detail'))).toContain(expected)
    }
    await page.screenshot({ path: join(ARTIFACTS, 'playground-schedule.png') })
    await page.getByRole('button', { name: 'Explore what ships' }).click()
    await result.filter({ hasText: 'no finding in' }).waitFor()
    expect(await region(page, 'Schedule, a column a thread').count()).toBe(0)
  })

  test('an XDP program is stepped on a frame: instruction, registers, what the verifier knows, bytes, verdict', async () => {
    const page = await visit(DESKTOP, '#xdp')
    const view = page.locator('#xdp-view')
    const title = (): Promise<string> => textOf(view.locator('.now'))
    expect(await title()).toContain('r1 is the context')
    const code = region(page, 'Instructions')
    const current = code.locator('tr[aria-current="step"]')
    expect(await textOf(current.locator('th'))).toBe('0')
    const registers = region(page, 'Before the next instruction')
    expect(await textOf(registers)).toContain('context')
    await press(page, 'Step')
    expect(await textOf(current.locator('th'))).not.toBe('0')
    const bytes = region(page, 'Frame of 64 bytes')
    for (let steps = 0; (await bytes.locator('.read').count()) === 0 && steps < 40; steps++) await press(page, 'Step')
    expect(await bytes.locator('.read').count()).toBeGreaterThan(0)
    expect(await textOf(registers)).toContain('14 bytes checked')
    await press(page, 'Last')
    expect(await title()).toBe('exit: XDP_DROP')
    expect(await textOf(region(page, 'Entries that are not zero'))).toContain('rxcnt')
    await page.getByLabel('Program', { exact: true }).selectOption('xdp2')
    await press(page, 'Last')
    expect(await title()).toBe('exit: XDP_TX')
    await page.getByLabel('Frame', { exact: true }).selectOption('arp')
    await press(page, 'Last')
    expect(await title()).toContain('exit: XDP_')
  })

  test('an object of the user is stepped, or refused with the reason', async () => {
    const page = await visit(DESKTOP, '#xdp')
    const file = page.getByLabel(/Or an object of your own/)
    await file.setInputFiles(join(repositoryRoot, 'packages/xdp/fixtures/globals.v3.o'))
    const program = page.getByLabel('Program of globals.v3.o')
    await program.selectOption('ok_nested')
    expect(await textOf(region(page, 'Instructions').locator('caption'))).toContain('ok_nested')
    await program.selectOption('bad_circle')
    const message = page.locator('#xdp-view .note.wrong')
    expect(await textOf(message)).toContain('a global function calls itself')
    await file.setInputFiles(join(repositoryRoot, 'packages/xdp/fixtures/globals.bpf.c'))
    await message.filter({ hasText: 'globals.bpf.c' }).waitFor()
  })

  test.each<Look>([
    { viewport: 'desktop', scheme: 'light' },
    { viewport: 'desktop', scheme: 'dark' },
    { viewport: 'phone', scheme: 'light' },
    { viewport: 'phone', scheme: 'dark' },
  ])('has no barriers: $viewport, $scheme', async (look) => {
    const page = await visit(look)
    if (look.viewport === 'phone') {
      // Folded, so that the ring is not far below.
      expect(await page.getByRole('button', { name: 'Migrate', exact: true }).isVisible()).toBe(false)
      for (const title of ['Show me', 'Memory management']) await page.getByText(title, { exact: true }).click()
    }
    await press(page, 'Migration in mid-round')
    await stepTo(page, 'stores used.ring[0]')
    const name = `${look.viewport}-${look.scheme}`
    await page.screenshot({ path: join(ARTIFACTS, `playground-${name}.png`), fullPage: true })
    if (look.viewport === 'desktop' && look.scheme === 'light') await pictureForDocs(page, 'playground', 1400)
    expect(await findBarriers(page)).toEqual([])
    await page.goto(`${url}#schedules`)
    await page.getByLabel('Entry').selectOption('M24')
    await page.getByRole('button', { name: 'Find the shortest schedule' }).click()
    await region(page, 'Schedule, a column a thread').waitFor()
    await press(page, 'First')
    for (let step = 0; step < 4; step++) await press(page, 'Step')
    await page.screenshot({ path: join(ARTIFACTS, `schedules-${name}.png`) })
    expect(await findBarriers(page)).toEqual([])
    await page.goto(`${url}#xdp`)
    const xdp = page.locator('#xdp-view')
    await xdp.locator('.listing').waitFor()
    for (let step = 0; step < 16; step++) await press(page, 'Step')
    await page.screenshot({ path: join(ARTIFACTS, `xdp-${name}.png`), fullPage: true })
    expect(await findBarriers(page)).toEqual([])
  })

  test('works by keyboard alone: the focus is seen, arrows walk the history, Enter steps', async () => {
    const page = await visit()
    const order = await tabOrder(page, 80)
    expect(order[0]).toBe('a Skip to the content')
    expect(order.filter((one) => one.endsWith('(focus not visible)'))).toEqual([])
    for (const name of ['button Step', 'button Publish', 'button Migrate', 'button Switch, ring running'])
      expect(order).toContain(name)
    await page.getByRole('button', { name: 'Step', exact: true }).focus()
    const before = await now(page)
    await page.keyboard.press('Enter')
    expect(await now(page)).not.toBe(before)
    const history = region(page, 'Everything that happened')
    await history.locator('[aria-current="step"]').focus()
    await page.keyboard.press('ArrowUp')
    expect(await now(page)).toBe(before)
    await page.keyboard.press('End')
    expect(await now(page)).toContain('the round ends')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-current'))).toBe('step')
    expect(await page.locator('[role=status][aria-live=polite]').count()).toBeGreaterThan(0)
  })
})
