import type { AfXdpSocketHandle } from '@vring/backend-af-xdp'
import type { TapQueueHandle } from '@vring/backend-tap/linux'
import type { CaptureSpec } from '../config/capture-spec.ts'
import type { ReplayConfig } from '../config/serve-config.ts'
import type { ProgramSpec } from '../programs/program-spec.ts'

/** What the worker thread builds its backends from: plain data, devices as descriptors that the main thread opened. */
export type DatapathSpec =
  | { readonly kind: 'drop'; readonly program: ProgramSpec | null }
  | { readonly kind: 'loopback' }
  | { readonly kind: 'pcap'; readonly capture: CaptureSpec }
  /** `clock`: one for all threads. */
  | {
      readonly kind: 'replay'
      readonly path: string
      readonly replay: ReplayConfig
      readonly clock: SharedArrayBuffer
    }
  | { readonly kind: 'plugin'; readonly name: string; readonly argument: string | null }
  /** `receiving`: pairs that take frames, one number for all threads. */
  | { readonly kind: 'tap'; readonly queues: readonly TapQueueHandle[]; readonly receiving: Int32Array }
  /** `receiving`: pairs that take frames, see `AfXdpGroup.shared`. */
  | { readonly kind: 'af-xdp'; readonly sockets: readonly AfXdpSocketHandle[]; readonly receiving: Int32Array }
