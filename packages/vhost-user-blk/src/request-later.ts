import type { DeviceRequest } from '@vring/vhost-user'
import {
  type BlockCommand,
  type BlockRange,
  HEADER_BYTES,
  ID_BYTES,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
} from './block-request.ts'
import { STEP_BYTES } from './block-steps.ts'
import type { AsyncBlockStore } from './block-store.ts'

/**
 * Does a request by a store that answers later, in parts of {@link STEP_BYTES}.
 *
 * @param isClosed the ring is gone, and with it the driver's memory: nothing is copied any more
 * @returns its status
 */
export async function requestLater(
  store: AsyncBlockStore,
  id: Uint8Array,
  request: DeviceRequest,
  command: BlockCommand,
  isClosed: () => boolean,
): Promise<number> {
  try {
    switch (command.kind) {
      case 'read':
      case 'write':
        return await transfer(store, request, command, isClosed)
      case 'flush':
        await store.flush()
        return VIRTIO_BLK_S_OK
      case 'id': {
        const bytes = new Uint8Array(ID_BYTES)
        bytes.set(id)
        return request.write(0, bytes) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK
      }
      case 'discard':
        for (const { offset, length } of command.ranges) await store.discard?.(offset, length)
        return VIRTIO_BLK_S_OK
      case 'zeroes':
        for (const range of command.ranges) await zero(store, range)
        return VIRTIO_BLK_S_OK
      case 'fail':
        return command.status
    }
  } catch {
    return VIRTIO_BLK_S_IOERR
  }
}

async function transfer(
  store: AsyncBlockStore,
  request: DeviceRequest,
  { kind, offset, length }: BlockCommand & { readonly kind: 'read' | 'write' },
  isClosed: () => boolean,
): Promise<number> {
  for (let done = 0; done < length && !isClosed(); done += STEP_BYTES) {
    const bytes = new Uint8Array(Math.min(STEP_BYTES, length - done))
    if (kind === 'write') {
      if (request.read(HEADER_BYTES + done, bytes) < 0) return VIRTIO_BLK_S_IOERR
      await store.write(offset + done, bytes)
    } else {
      await store.read(offset + done, bytes)
      if (isClosed() || request.write(done, bytes) < 0) return VIRTIO_BLK_S_IOERR
    }
  }
  return VIRTIO_BLK_S_OK
}

async function zero(store: AsyncBlockStore, { offset, length, unmap }: BlockRange): Promise<void> {
  if (store.writeZeroes !== undefined) return store.writeZeroes(offset, length, unmap)
  for (let done = 0; done < length; done += STEP_BYTES)
    await store.write(offset + done, new Uint8Array(Math.min(STEP_BYTES, length - done)))
}
