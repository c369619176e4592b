import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

interface Answer {
  readonly return?: unknown
  readonly error?: { readonly desc: string }
}

/** A connection to a QEMU by its machine protocol: JSON, a line a message. Source: QEMU docs/interop/qmp-spec. */
export class Qmp {
  readonly #socket: Socket
  readonly #lines: AsyncIterableIterator<string>

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#lines = createInterface(socket)[Symbol.asyncIterator]()
  }

  static async connect(path: string): Promise<Qmp> {
    const socket = connect(path)
    await once(socket, 'connect')
    const qmp = new Qmp(socket)
    await qmp.execute('qmp_capabilities')
    return qmp
  }

  /** Runs a command; what it returns. Greeting and events in between are skipped. */
  async execute(command: string, args: object = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw new Error(`QEMU hung up at ${command}`)
      const answer = JSON.parse(value) as Answer
      if (answer.error !== undefined) throw new Error(`QEMU: ${command}: ${answer.error.desc}`)
      if (answer.return !== undefined) return answer.return
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
