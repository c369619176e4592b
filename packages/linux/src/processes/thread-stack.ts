import { Session } from 'node:inspector'

/** Where a thread stands. */
export interface ThreadStack {
  /**
   * Functions and their places, the innermost first; those of Node itself only where there are no others; none outside
   * JavaScript.
   */
  readonly frames: readonly string[]
  /** Does its event loop turn? Then it waits; else it is in a call that is not JavaScript. */
  readonly waits: boolean
}

/** What a message of V8's inspector is read for. */
interface InspectorMessage {
  readonly id?: number
  readonly method?: string
  readonly params?: {
    readonly scriptId: string
    readonly url: string
    readonly callFrames: readonly {
      readonly functionName: string
      readonly location: { readonly scriptId: string; readonly lineNumber: number }
      readonly this: { readonly className?: string }
    }[]
  }
}

/** Calls that a text names at most. */
const FRAMES = 4

/**
 * Stops a worker thread of this process and asks V8 where it stands, code that never returns to its event loop included.
 *
 * @param name of the thread, which no other has: Node's own hooks may have threads too
 * @param patienceMs how late its answer may be
 */
export function threadStack(name: string, patienceMs: number): Promise<ThreadStack> {
  const session = new Session()
  session.connect()
  const places = new Map<string, string>()
  let waits = false
  let sent = 0
  const send = (sessionId: string, method: string): void =>
    session.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id: ++sent, method }) })
  return new Promise((resolve) => {
    const end = (frames: readonly string[]): void => {
      clearTimeout(timer)
      session.disconnect()
      resolve({ frames, waits })
    }
    // One that waits answers, and runs nothing that could be stopped.
    const timer = setTimeout(() => end([]), patienceMs)
    session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
      if (!workerInfo.title.endsWith(name)) return
      for (const method of ['Debugger.enable', 'Debugger.pause']) send(sessionId, method)
    })
    session.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId, message } }) => {
      const { id, method, params } = JSON.parse(message) as InspectorMessage
      if (id !== undefined) waits = true
      if (method === 'Debugger.scriptParsed') places.set(params!.scriptId, params!.url)
      if (method !== 'Debugger.paused') return
      const frames = params!.callFrames.map(({ functionName, location, this: receiver }) => {
        const place = places.get(location.scriptId) ?? ''
        const text = `${nameOf(functionName, receiver.className)}${place}:${location.lineNumber + 1}`
        return { text, own: place !== '' && !place.startsWith('node:') }
      })
      // A thread that stands still can't be terminated.
      send(sessionId, 'Debugger.resume')
      const own = frames.filter((frame) => frame.own)
      end((own.length > 0 ? own : frames).map(({ text }) => text).slice(0, FRAMES))
    })
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  })
}

/** `Class.method at `, `function at `, or nothing for the body of a module. */
function nameOf(method: string, className = ''): string {
  if (method === '') return ''
  const plain = ['', 'Object', 'global'].includes(className) || method.includes('.')
  return `${plain ? method : `${className}.${method}`} at `
}
