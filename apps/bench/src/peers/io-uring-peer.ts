import { spawn } from 'node:child_process'
import { interfaceIndex } from '@vring/linux'
import { CellFailure } from '../cell-process.ts'
import { meanFrameBytes } from '../frames.ts'
import { lastWords } from '../last-words.ts'
import { KernelSink } from '../system/kernel-sink.ts'
import { enterPrivateNetwork } from '../system/private-network.ts'
import { measureFlow } from './flow-meter.ts'
import type { PeerRequest, PeerTrial } from './peer-protocol.ts'

const TAP_NAME = 'vring-peer'
/** Frames after which the mix repeats itself. */
const IMIX_FRAMES = 12

/**
 * The C program of peers/io-uring-tap.c on a TAP of this process' own network namespace. It sends frames of one length: of a
 * mix, or of recorded frames, the mean.
 */
export async function measureIoUring(request: PeerRequest): Promise<PeerTrial> {
  enterPrivateNetwork()
  const { spec, binary, cpu } = request
  const frameBytes = spec.frameBytes === 0 ? meanFrameBytes(0, IMIX_FRAMES) : spec.frameBytes
  const memory = request.peer === 'io-uring-fixed' ? 'fixed' : 'plain'
  const child = spawn(binary, [TAP_NAME, String(Math.round(frameBytes)), String(cpu), memory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is the orchestrator's affair.
    detached: true,
  })
  let words = ''
  let gone = false
  child.stderr.on('data', (text: Buffer) => {
    words = (words + text.toString()).slice(-2000)
  })
  const exit = new Promise<void>((resolve) => {
    const end = (): void => {
      gone = true
      resolve()
    }
    child.once('exit', end)
    child.once('error', end)
  })
  const ready = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()))
  try {
    await Promise.race([ready, exit])
    if (gone) throw new CellFailure(`io-uring-tap ended: ${lastWords(words)}`)
    const sink = new KernelSink(interfaceIndex(TAP_NAME))
    try {
      const flow = await measureFlow(() => sink.arrived, request)
      if (gone) throw new CellFailure(`io-uring-tap ended: ${lastWords(words)}`)
      return { ...flow, version: request.version }
    } finally {
      sink.close()
    }
  } finally {
    child.kill('SIGKILL')
    await exit
  }
}
