import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** One TCP connection from a guest to this host: `port` is there until it came, `done` resolves when it is over. */
export interface Exchange<T> {
  readonly port: number
  readonly done: Promise<T>
}

/** Gives `bytes` to the first who connects to the address. */
export function giveFile(address: string, bytes: Uint8Array): Promise<Exchange<void>> {
  return exchange(address, async (socket) => {
    socket.end(bytes)
    socket.resume()
    await once(socket, 'close')
  })
}

/** Takes what the first who connects to the address sends; its SHA-256. */
export function takeFile(address: string): Promise<Exchange<string>> {
  return exchange(address, async (socket) => {
    const hash = createHash('sha256')
    for await (const part of socket) hash.update(part as Uint8Array)
    return hash.digest('hex')
  })
}

async function exchange<T>(address: string, talk: (socket: Socket) => Promise<T>): Promise<Exchange<T>> {
  const server = createServer()
  server.listen(0, address)
  await once(server, 'listening')
  const done = once(server, 'connection').then(([socket]) => {
    server.close()
    return talk(socket as Socket)
  })
  // Who waits for it hears of a failure; a guest that never comes is found by its own limit.
  done.catch(() => {})
  return { port: (server.address() as AddressInfo).port, done }
}
