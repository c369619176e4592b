import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { repositoryRoot } from '../../scripts/workspace.ts'

/** Debian's browser: package chromium. */
const CHROMIUM = '/usr/bin/chromium'

/** Why there is no browser here, or null. */
export const noBrowser: string | null = existsSync(CHROMIUM) ? null : 'chromium (Debian package chromium) is missing'

/** Where screenshots are kept: those that are named `docs-*.png` are what docs/images shows, to be copied there. */
export const ARTIFACTS: string = join(repositoryRoot, 'test-artifacts')

/** Viewports that pages are looked at in, CSS pixels. */
const VIEWPORTS = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 375, height: 720 },
} as const

/** How a page is looked at. */
export interface Look {
  readonly viewport: keyof typeof VIEWPORTS
  readonly scheme: 'light' | 'dark'
}

/** A page, with what it must not do: errors on its console, requests that leave its own address. */
export interface WatchedPage {
  readonly page: Page
  /** Messages of the console that are errors or warnings, and exceptions that were not caught. */
  readonly complaints: readonly string[]
  /** Requests to anything but `origin`. */
  readonly requests: readonly string[]
}

/** Starts the browser. As root it has no sandbox; it loads pages of this repository only. */
export function launch(): Promise<Browser> {
  mkdirSync(ARTIFACTS, { recursive: true })
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** Opens a page and watches it. */
export async function open(browser: Browser, url: string, { viewport, scheme }: Look): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: VIEWPORTS[viewport], colorScheme: scheme })
  page.setDefaultTimeout(45_000)
  const complaints: string[] = []
  const requests: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  const own = url.startsWith('file:') ? url : new URL(url).origin
  page.on('request', (request) => {
    const to = request.url()
    if (!to.startsWith(own) && !to.startsWith('data:')) requests.push(to)
  })
  await page.goto(url)
  return { page, complaints, requests }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
}

/** Serves the files of a folder on loopback, as any static server would. */
export async function serveFolder(folder: string): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const file = join(folder, normalize(path.endsWith('/') ? `${path}index.html` : path))
    const type = TYPES[extname(file)]
    if (type === undefined || !file.startsWith(folder) || !existsSync(file)) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'content-type': type }).end(readFileSync(file))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server }
}

/** Text of an element, shown or not. */
export async function textOf(locator: Locator): Promise<string> {
  return (await locator.textContent()) ?? ''
}

/** Keeps the top of a page for the documentation. */
export async function pictureForDocs(page: Page, name: string, height: number): Promise<void> {
  const clip = { x: 0, y: 0, width: VIEWPORTS.desktop.width, height }
  await page.screenshot({ path: join(ARTIFACTS, `docs-${name}.png`), fullPage: true, clip })
}
