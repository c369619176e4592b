import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('model/model-back-end.ts', import.meta.url))

/** The model back-end in a process of its own, with one fault or none at a time. */
export class ModelProcess {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vring-model-'))
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  constructor() {
    const flags = ['--import', 'tsx', '--conditions=@vring/source']
    this.#child = spawn(process.execPath, [...flags, PROGRAM, this.#folder], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#ended = once(this.#child, 'exit').then(() => {
      throw new Error('the model back-end has ended')
    })
    this.#ended.catch(() => {})
  }

  /** Begins again as another one; the path where it listens. */
  async become(device: 'net' | 'blk', fault: string): Promise<string> {
    const ready = once(this.#child.stdout!, 'data')
    this.#child.stdin!.write(`${device}-${fault}\n`)
    await Promise.race([ready, this.#ended])
    return join(this.#folder, `${device}-${fault}.sock`)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.stdin!.end()
      this.#child.kill('SIGKILL')
      await exited
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
