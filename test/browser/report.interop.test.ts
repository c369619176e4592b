import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../scripts/workspace.ts'
import { findBarriers, tabOrder } from './accessible.ts'
import { ARTIFACTS, type Look, noBrowser, pictureForDocs, textOf } from './browser.ts'
import { watchedVisits } from './visits.ts'

/** A run of all accessors and a sweep of queue sizes, put together by `vring-bench merge`. */
const RESULTS = fileURLToPath(new URL('fixtures/results.json', import.meta.url))
const BYTES_MAX = 1.5e6

describe.skipIf(noBrowser !== null)(`the report in a browser${noBrowser === null ? '' : `: ${noBrowser}`}`, () => {
  const open = watchedVisits()
  let directory: string
  let file: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vring-report-'))
    file = join(directory, 'report.html')
    const cli = join(repositoryRoot, 'apps/bench/src/cli.ts')
    const args = ['--import', 'tsx', '--conditions=@vring/source', cli, 'report', RESULTS, '--html', file]
    const drawn = spawnSync(process.execPath, args, { cwd: repositoryRoot, encoding: 'utf8' })
    expect(drawn.status, drawn.stderr).toBe(0)
  })
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  const visit = (look: Look): Promise<Page> => open(pathToFileURL(file).href, look)

  test('is below 1.5 MB and opens at once', async () => {
    expect(statSync(file).size).toBeLessThan(BYTES_MAX)
    const page = await visit({ viewport: 'desktop', scheme: 'light' })
    const loadedMs = await page.evaluate(() => {
      const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
      return navigation!.loadEventEnd
    })
    console.log(`report of ${statSync(file).size} bytes: loaded after ${loadedMs.toFixed(0)} ms`)
    // The aim is one second; a machine that is busy with something else may take longer.
    expect(loadedMs).toBeLessThan(10_000)
  })

  test('each chart is a named image with the same numbers as a table below it', async () => {
    const page = await visit({ viewport: 'desktop', scheme: 'light' })
    const figures = page.locator('figure')
    expect(await figures.count()).toBeGreaterThanOrEqual(3)
    for (const figure of await figures.all()) {
      expect((await figure.getByRole('img').getAttribute('aria-labelledby')) ?? '').not.toBe('')
      const table = figure.locator('table')
      expect(await table.isVisible()).toBe(false)
      await figure.locator('summary').focus()
      await page.keyboard.press('Enter')
      expect(await table.isVisible()).toBe(true)
      expect(await table.locator('tbody tr').count()).toBeGreaterThan(0)
    }
    const { cells } = JSON.parse(readFileSync(RESULTS, 'utf8')) as { cells: { measured: { trials: number[] } }[] }
    expect(await textOf(figures.filter({ hasText: 'Distribution of trials' }).locator('tbody'))).toContain(
      cells[0]!.measured.trials[0]!.toFixed(2),
    )
  })

  test.each<Look>([
    { viewport: 'desktop', scheme: 'light' },
    { viewport: 'desktop', scheme: 'dark' },
    { viewport: 'phone', scheme: 'light' },
    { viewport: 'phone', scheme: 'dark' },
  ])('has no barriers: $viewport, $scheme', async (look) => {
    const page = await visit(look)
    await page.screenshot({ path: join(ARTIFACTS, `report-${look.viewport}-${look.scheme}.png`), fullPage: true })
    if (look.viewport === 'desktop' && look.scheme === 'light') await pictureForDocs(page, 'report', 1590)
    expect(await findBarriers(page)).toEqual([])
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true
    })
    expect(await findBarriers(page)).toEqual([])
  })

  test.each<Look['viewport']>(['desktop', 'phone'])(
    'no text of a chart is cut off or lies on another: %s',
    async (viewport) => {
      const page = await visit({ viewport, scheme: 'light' })
      const found = await page.evaluate(() =>
        [...document.querySelectorAll('.chart > svg')].flatMap((svg) => {
          const frame = svg.getBoundingClientRect()
          const texts = [...svg.querySelectorAll('text')].map((text) => ({
            content: text.textContent ?? '',
            box: text.getBoundingClientRect(),
          }))
          const cut = texts
            .filter(
              ({ box }) => box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1,
            )
            .map(({ content }) => `cut off: ${content}`)
          const over = texts.flatMap((one, index) =>
            texts
              .slice(index + 1)
              .filter(
                ({ box }) =>
                  Math.min(one.box.right, box.right) - Math.max(one.box.left, box.left) > 2 &&
                  Math.min(one.box.bottom, box.bottom) - Math.max(one.box.top, box.top) > 4,
              )
              .map(({ content }) => `${one.content} on ${content}`),
          )
          return [...cut, ...over]
        }),
      )
      expect(found).toEqual([])
    },
  )

  test('is read by keyboard alone, with the focus to be seen', async () => {
    const page = await visit({ viewport: 'phone', scheme: 'light' })
    const order = await tabOrder(page, 60)
    expect(order[0]).toBe('a Skip to the result')
    expect(order.filter((one) => one.endsWith('(focus not visible)'))).toEqual([])
    expect(order.filter((one) => one.startsWith('summary')).length).toBeGreaterThanOrEqual(3)
  })
})
