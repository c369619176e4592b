import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { type Look, launch, open, type WatchedPage } from './browser.ts'

/**
 * One browser for the tests of a group, and a page for each test that asks for one. Whatever a test did, its page had
 * nothing to say on the console, and sent no request elsewhere.
 */
export function watchedVisits(): (address: string, look: Look) => Promise<Page> {
  let browser: Browser
  let watched: WatchedPage | null = null

  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
  })
  afterEach(async () => {
    const { page, complaints, requests } = watched ?? { page: null, complaints: [], requests: [] }
    watched = null
    await page?.close()
    expect(complaints).toEqual([])
    expect(requests).toEqual([])
  })

  return async (address, look) => {
    watched = await open(browser, address, look)
    return watched.page
  }
}
