import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reportHtml } from '../../apps/bench/src/report/report-html.ts'
import { madeNearFar } from '../../apps/bench/test/made-near-far.ts'
import { findBarriers } from './accessible.ts'
import { ARTIFACTS, type Look, noBrowser, textOf } from './browser.ts'
import { watchedVisits } from './visits.ts'

describe.skipIf(noBrowser !== null)(`near and far in a browser${noBrowser === null ? '' : `: ${noBrowser}`}`, () => {
  const open = watchedVisits()
  let directory: string
  let file: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vring-near-far-'))
    file = join(directory, 'report.html')
    writeFileSync(file, reportHtml(madeNearFar()))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test.each<Look>([
    { viewport: 'desktop', scheme: 'light' },
    { viewport: 'desktop', scheme: 'dark' },
    { viewport: 'phone', scheme: 'light' },
  ])('is a section of its own, with every slice and without barriers: $viewport, $scheme', async (look) => {
    const page = await open(pathToFileURL(file).href, look)
    const section = page.locator('section', { has: page.locator('#near-and-far') })
    await section.screenshot({ path: join(ARTIFACTS, `near-far-${look.viewport}-${look.scheme}.png`) })
    const figure = section.locator('figure')
    expect(await figure.getByRole('img').count()).toBe(1)
    expect(await section.locator('circle.trial').count()).toBeGreaterThanOrEqual(4 * 2 * 24)
    const text = await textOf(section)
    for (const said of ['not seen', 'of DPDK [95 %]', 'negotiated', 'A cell against itself', 'What moves', 'overlap'])
      expect(text).toContain(said)
    expect(await findBarriers(page)).toEqual([])
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true
    })
    expect(await findBarriers(page)).toEqual([])
    // The page itself never scrolls to the side; wide tables do.
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0)
  })
})
