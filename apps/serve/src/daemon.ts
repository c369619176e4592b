import { formatBackend } from './backend-spec.ts'
import type { ServeConfig } from './config.ts'
import { openDevice } from './open-device.ts'
import { ServeThread } from './serve-thread.ts'
import type { Snapshot } from './snapshot.ts'
import { StatusServer } from './status-server.ts'

/**
 * Opens the device, starts the worker and the status server, and serves until `stop` is aborted or one of them fails.
 * Whatever happens, socket, device, descriptors and server are given back.
 *
 * @param log takes one line for people
 * @throws ServeError
 */
export async function runDaemon(config: ServeConfig, stop: AbortSignal, log: (line: string) => void): Promise<void> {
  const device = openDevice(config)
  try {
    const { socket, role, accessor, plugins, queuePairs, captures } = config
    const thread = await ServeThread.start({
      ...{
        socket,
        role,
        accessor,
        plugins,
        queuePairs,
        captures,
        datapath: device.datapath,
        features: device.features,
      },
      onNote: log,
      onSession: (event, error) => {
        if (event === 'opened') log('a driver connected')
        else log(error === null ? 'the driver hung up' : `the driver's session ended: ${error}`)
      },
    })
    const onStop = (): void => thread.stop()
    stop.addEventListener('abort', onStop)
    if (stop.aborted) onStop()
    try {
      const status = config.metrics === null ? null : await StatusServer.start(config, thread, device)
      try {
        if (status !== null) log(`status and metrics on ${status.url}`)
        if (device.note !== null) log(device.note)
        const verb = role === 'server' ? 'listening on' : 'connecting to'
        log(
          `${verb} ${socket}; ${formatBackend(config.backend)}, accessor ${accessor}, ${queuePairs} queue pair${queuePairs === 1 ? '' : 's'}`,
        )
        log(`stopped; ${summary(await thread.done)}`)
      } finally {
        await status?.close()
      }
    } finally {
      stop.removeEventListener('abort', onStop)
      thread.stop()
      // It has to let go of the device's descriptors first; why it failed was said.
      await thread.done.catch(() => {})
    }
  } finally {
    device.close()
  }
}

function summary({ pairs, sessions }: Snapshot): string {
  const sum = (field: 'txFrames' | 'rxFrames'): number => pairs.reduce((total, pair) => total + pair[field], 0)
  return `${sessions} sessions, ${sum('txFrames')} frames from drivers, ${sum('rxFrames')} to drivers`
}
