import { spawn } from 'node:child_process'
import { interfaceIndex, LastWords } from '@vring/linux'
import { CellFailure } from '../cell/cell-failure.ts'
import { meanFrameBytes } from '../in-process/frames.ts'
import { KernelSink } from '../system/kernel-sink.ts'
import { enterPrivateNetwork } from '../system/private-network.ts'
import type { RunningPeer, StartRequest } from './peer-protocol.ts'

const TAP_NAME = 'vring-peer'
/** Frames after which the mix repeats itself. */
const IMIX_FRAMES = 12

/**
 * The C program of peers/io-uring-tap.c on a TAP of this process' own network namespace. It sends frames of one length: of a
 * mix, or of recorded frames, the mean.
 */
export async function startIoUring({ spec, binary, cpu, peer, version }: StartRequest): Promise<RunningPeer> {
  enterPrivateNetwork()
  const frameBytes = spec.frameBytes === 0 ? meanFrameBytes(0, IMIX_FRAMES) : spec.frameBytes
  const memory = peer === 'io-uring-fixed' ? 'fixed' : 'plain'
  const child = spawn(binary, [TAP_NAME, String(Math.round(frameBytes)), String(cpu), memory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C is the orchestrator's affair.
    detached: true,
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const words = new LastWords(child.stderr)
  let gone = false
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      gone = true
      resolve()
    }
    child.once('exit', end)
    child.once('error', end)
  })
  const check = (): void => {
    if (gone) throw new CellFailure(`io-uring-tap ended: ${words.line}`)
  }
  await Promise.race([new Promise<void>((resolve) => child.stdout.once('data', () => resolve())), ended])
  check()
  const sink = new KernelSink(interfaceIndex(TAP_NAME))
  return {
    count: async () => {
      check()
      return sink.arrived
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    report: () => ({ version, features: null }),
  }
}
