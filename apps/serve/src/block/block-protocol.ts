/** What the thread that serves a file is started with. */
export interface BlockSettings {
  readonly socket: string
  readonly file: string
  readonly readOnly: boolean
  readonly queues: number
  readonly id: string
  readonly client: boolean
  /** Eventfd that wakes the thread when {@link stop} changed. */
  readonly wakeFd: number
  /** One Int32 cell: 1 when the thread is to end. */
  readonly stop: SharedArrayBuffer
}

/** What the thread tells. */
export type BlockWorkerMessage =
  /** One line for people. */
  | { readonly type: 'note'; readonly line: string }
  /** It can't start or go on. */
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: number }
