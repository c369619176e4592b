import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { MetricsAddress } from '../config/serve-config.ts'
import type { Log } from '../log/log.ts'
import { startError } from '../serve-error.ts'
import { formatMetrics, METRICS_TYPE, type Observed } from '../status/metrics.ts'
import { PAGE_SECURITY_POLICY, renderStatusPage } from '../status/status-page.ts'
import type { Daemon } from './daemon.ts'

/** Connections at once that have asked nothing for {@link PATIENCE_MS}. One more ends the oldest of them. */
const CONNECTIONS_MAX = 16
/** How long one that has just come is left alone, in ms: it may be about to ask. */
const PATIENCE_MS = 100
/** Connections at once, whatever they do. */
const CONNECTIONS_MOST = 256
/** How long a connection may take to ask, and to take its answer, in ms; it serves one request. */
const CONNECTION_MS = 2000
/** Answers `/metrics` for Prometheus and `/` for people. Reads only: nothing here changes the daemon. */
export class StatusServer {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    const { address, family, port } = server.address() as AddressInfo
    this.url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`
  }

  /**
   * @param log takes one line for people
   * @throws ServeError naming --metrics
   */
  static async start({ host, port }: MetricsAddress, daemon: Daemon, log: Log): Promise<StatusServer> {
    const observe = shared(
      (): Promise<Observed[]> =>
        Promise.all(
          daemon.devices.map(async (device) => ({ config: device.config, observation: await device.observe() })),
        ),
    )
    const limits = {
      requestTimeout: CONNECTION_MS,
      headersTimeout: CONNECTION_MS,
      connectionsCheckingInterval: CONNECTION_MS / 4,
      maxHeaderSize: 8192,
    }
    const server = createServer(limits, (request, response) => {
      answer(observe, request).then(
        (page) => send(response, request, page),
        (error: unknown) => send(response, request, text(503, `${error instanceof Error ? error.message : error}\n`)),
      )
    })
    server.setTimeout(CONNECTION_MS, (socket) => socket.destroy())
    server.maxRequestsPerSocket = 1
    boundConnections(server)
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
    } catch (error) {
      throw startError(`--metrics ${host}:${port}`, error)
    }
    server.removeAllListeners('error')
    let told = false
    // Being out of descriptors for a while takes this page away and nothing else.
    server.on('error', (error) => {
      if (!told) log(`the status page can't take a connection: ${error.message}; said once`)
      told = true
    })
    return new StatusServer(server)
  }

  /** Ends, also connections that are open. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

/**
 * Ends the oldest connections that ask nothing when there are too many: a connection that asks is answered, however many
 * others there are, and however many of those ask.
 */
function boundConnections(server: Server): void {
  /** When each came that has not asked yet. */
  const idle = new Map<Socket, number>()
  server.maxConnections = CONNECTIONS_MOST
  const endOldest = (): void => {
    const patient = performance.now() - PATIENCE_MS
    for (const [socket, came] of idle) {
      if (idle.size <= CONNECTIONS_MAX || came > patient) break
      idle.delete(socket)
      socket.destroy()
    }
  }
  server.on('connection', (socket) => {
    idle.set(socket, performance.now())
    socket.once('close', () => idle.delete(socket))
    if (idle.size <= CONNECTIONS_MAX) return
    endOldest()
    setTimeout(endOldest, PATIENCE_MS + 1).unref()
  })
  server.on('request', ({ socket }) => idle.delete(socket))
}

/** One observation for all who ask while it is made. */
function shared<T>(observe: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | null = null
  return () => {
    if (last !== null) return last
    const made = observe()
    last = made
    const forget = (): void => {
      last = null
    }
    made.then(forget, forget)
    return made
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
    connection: 'close',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': policy ?? "default-src 'none'",
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
