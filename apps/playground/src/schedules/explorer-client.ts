import type { Exploration } from '@vring/explorer'
import type { EntryFacts, Request, Response, Subject } from './protocol.ts'

/** The explorer, in a thread of its own. Requests are answered in their order. */
export class ExplorerClient {
  readonly #worker = new Worker(new URL('./explore-worker.ts', import.meta.url), { type: 'module' })
  readonly #waiting: { resolve(response: Response): void; reject(error: Error): void }[] = []

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Response>) => this.#waiting.shift()?.resolve(data))
    this.#worker.addEventListener('error', (event) => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(event.message || 'the worker can’t be loaded'))
    })
  }

  /** @throws Error when the worker fails */
  async list(): Promise<readonly EntryFacts[]> {
    const response = await this.#ask({ kind: 'list' })
    if (response.kind !== 'list') throw new Error(`asked for the catalogue, got ${response.kind}`)
    return response.entries
  }

  /** @throws Error when the worker fails */
  async explore(id: string, subject: Subject): Promise<{ readonly exploration: Exploration; readonly ms: number }> {
    const response = await this.#ask({ kind: 'explore', id, subject })
    if (response.kind === 'failed') throw new Error(response.message)
    if (response.kind !== 'explored') throw new Error(`asked for an exploration, got ${response.kind}`)
    return response
  }

  #ask(request: Request): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker.postMessage(request)
    })
  }
}
