import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PollSet, UnixListener } from '@vring/linux'
import { ModelDevice } from './device.ts'
import { ModelSession } from './session.ts'

/**
 * A small back-end, right unless it is told to be wrong in one way: `node model-back-end.ts FOLDER`. It listens at
 * FOLDER/KIND-FAULT.sock for each name that it reads, one a line, from standard input, and answers each by `ready`.
 */
class Listener {
  readonly path: string
  readonly kind: 'net' | 'blk'
  readonly faultName: string
  device: ModelDevice
  socket: UnixListener | null
  sessions: ModelSession[] = []
  #dead = false

  constructor(folder: string, name: string) {
    this.kind = name.startsWith('net-') ? 'net' : 'blk'
    this.faultName = name.slice(4)
    this.path = join(folder, `${name}.sock`)
    this.device = this.#newDevice()
    this.socket = UnixListener.listen(this.path)
  }

  fault = (name: string): boolean => name === this.faultName

  #newDevice(): ModelDevice {
    return new ModelDevice(this.kind, this.fault)
  }

  /** Ends as a process ends that crashes. */
  die(): void {
    this.#dead = true
  }

  close(): void {
    for (const session of this.sessions.splice(0)) session.close()
    this.socket?.close()
    this.socket = null
  }

  step(): void {
    if (this.#dead) {
      this.close()
      return
    }
    for (let socket = this.socket!.accept(); socket !== null; socket = this.socket!.accept()) {
      const onAnomaly = (): void => {
        if (this.fault('fragile')) this.die()
      }
      this.device = this.#newDevice()
      this.sessions.push(new ModelSession(socket, this.device, this.fault, onAnomaly))
    }
    if (this.fault('one-connection-only') && this.sessions.length > 1)
      for (const one of this.sessions.splice(0)) one.close()
    for (const session of this.sessions) session.read()
    for (const session of this.sessions)
      if (!session.closed || this.fault('touches-after')) for (const ring of session.rings) ring.serve()
    this.sessions = this.sessions.filter(({ closed }) => !closed || this.fault('touches-after'))
  }

  get fds(): number[] {
    const own = this.socket === null ? [] : [this.socket.fd]
    const open = this.sessions.filter(({ closed }) => !closed)
    const kicks = open.flatMap(({ rings }) => rings.flatMap(({ kick }) => (kick === null ? [] : [kick.fd])))
    return [...own, ...open.map(({ socket }) => socket.fd), ...kicks]
  }
}

const folder = process.argv[2]!
const listeners: Listener[] = []
process.stdin.setEncoding('utf8')
let input = ''
process.stdin.on('data', (text: string) => {
  input += text
})
process.stdin.on('end', () => process.exit(0))
const poll = new PollSet()
for (;;) {
  // Lets standard input in.
  await new Promise((resolve) => setImmediate(resolve))
  for (let end = input.indexOf('\n'); end >= 0; end = input.indexOf('\n')) {
    for (const old of listeners.splice(0)) old.close()
    listeners.push(new Listener(folder, input.slice(0, end)))
    input = input.slice(end + 1)
    process.stdout.write('ready\n')
  }
  if (!existsSync(folder)) process.exit(0)
  for (const listener of listeners) listener.step()
  poll.watch(listeners.flatMap(({ fds }) => fds))
  poll.wait(1)
}
