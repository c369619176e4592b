import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MetricsAddress } from './config.ts'
import type { Daemon } from './daemon.ts'
import { formatMetrics, METRICS_TYPE, type Observed } from './metrics.ts'
import { startError } from './serve-error.ts'
import { PAGE_SECURITY_POLICY, renderStatusPage } from './status-page.ts'

/** Answers `/metrics` for Prometheus and `/` for people. Reads only: nothing here changes the daemon. */
export class StatusServer {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    const { address, family, port } = server.address() as AddressInfo
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`
  }

  /** @throws ServeError naming --metrics */
  static async start({ host, port }: MetricsAddress, daemon: Daemon): Promise<StatusServer> {
    const observe = (): Promise<Observed[]> =>
      Promise.all(
        daemon.devices.map(async (device) => ({ config: device.config, observation: await device.observe() })),
      )
    const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
      answer(observe, request).then(
        (page) => send(response, request, page),
        (error: unknown) => send(response, request, text(503, `${error instanceof Error ? error.message : error}\n`)),
      )
    })
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
    } catch (error) {
      throw startError(`--metrics ${host}:${port}`, error)
    }
    return new StatusServer(server)
  }

  /** Ends, also connections that are open. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

interface Page {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly policy?: string
}

function text(status: number, body: string): Page {
  return { status, type: 'text/plain; charset=utf-8', body }
}

async function answer(observe: () => Promise<Observed[]>, { method, url }: IncomingMessage): Promise<Page> {
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'accepted: GET, HEAD\n')
  const path = (url ?? '/').split('?', 1)[0]
  if (path === '/metrics') return { status: 200, type: METRICS_TYPE, body: await formatMetrics(await observe()) }
  if (path === '/') {
    const body = renderStatusPage(await observe())
    return { status: 200, type: 'text/html; charset=utf-8', body, policy: PAGE_SECURITY_POLICY }
  }
  return text(404, 'here are: / and /metrics\n')
}

function send(response: ServerResponse, request: IncomingMessage, { status, type, body, policy }: Page): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': policy ?? "default-src 'none'",
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
