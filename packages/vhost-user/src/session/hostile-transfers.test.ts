import { spawnSync } from 'node:child_process'
import { closeSync, constants, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { featureSet, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_F_VERSION_1, VringError } from '@vring/layout'
import { closeFd, createMemfd, EventFd, processResources, UnixSocket, unsupportedHost } from '@vring/linux'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RecyclingDevice } from '../../test/recycling-device.ts'
import type { StartedVring } from '../device/device.ts'
import { linuxHost } from '../host/linux-host.ts'
import { decodeMessage } from '../messages/decode-message.ts'
import { encodeMessage, FLAG_NEED_REPLY } from '../messages/header.ts'
import { MessageReader } from '../messages/message-reader.ts'
import { MESSAGES, type MessageSpec, type RequestName, type RequestPayload } from '../messages/messages.ts'
import { DEVICE_STATE_LOAD, DEVICE_STATE_SAVE } from '../messages/payload.ts'
import {
  PROTOCOL_F_DEVICE_STATE,
  PROTOCOL_F_INFLIGHT_SHMFD,
  PROTOCOL_F_REPLY_ACK,
} from '../messages/protocol-features.ts'
import { BackendSession } from './backend-session.ts'
import { STATE_BYTES_MAX } from './session-transfer.ts'

const reason = unsupportedHost()
/** More looks at the session than any transfer here needs. */
const LOOKS = 2000

/** A device whose state is 3 bytes at most, and that notes what is in flight. */
class StatefulDevice extends RecyclingDevice {
  readonly tracksInflight = true
  state = Uint8Array.of(9, 8, 7)
  vring: StartedVring | null = null

  override startQueue(vring: StartedVring): void {
    this.vring = vring
    super.startQueue(vring)
  }

  saveState(): Uint8Array {
    return this.state
  }

  loadState(state: Uint8Array): void {
    if (state.length > 3) throw new VringError('ERR_PROTOCOL', `a state of ${state.length} bytes`)
    this.state = Uint8Array.from(state)
  }
}

/** Writes to a pipe until it is full. */
function fill(fd: number, bytes: Uint8Array): void {
  try {
    while (writeSync(fd, bytes) > 0);
  } catch {
    // EAGAIN.
  }
}

/** A session over a real socket and real descriptors. */
class RealSession {
  readonly device = new StatefulDevice()
  readonly session: BackendSession
  readonly socket: UnixSocket
  readonly #reader: MessageReader

  constructor() {
    const [mine, transport] = UnixSocket.pair()
    this.socket = mine
    this.session = new BackendSession({ transport, device: this.device, host: linuxHost })
    this.#reader = new MessageReader(mine, 4096, 1)
    this.ask(
      'SET_PROTOCOL_FEATURES',
      featureSet(PROTOCOL_F_REPLY_ACK, PROTOCOL_F_DEVICE_STATE, PROTOCOL_F_INFLIGHT_SHMFD),
    )
    this.ask('SET_FEATURES', featureSet(VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES))
  }

  /** Sends a request, and looks at the session until it is answered; null: it is not, or has no answer. */
  ask<Name extends RequestName>(
    name: Name,
    payload: RequestPayload<Name>,
    fds: readonly number[] = [],
    meanwhile: () => void = () => {},
  ): string | null {
    const spec: MessageSpec<unknown, unknown> = MESSAGES[name]
    const flags = spec.reply === null ? FLAG_NEED_REPLY : 0
    this.socket.send(encodeMessage(spec.id, flags, spec.request.encode(payload)), fds)
    for (let look = 0; look < LOOKS; look++) {
      meanwhile()
      this.session.poll()
      const answer = this.#reader.next()
      if (typeof answer === 'string') continue
      for (const fd of this.#reader.takeFds()) closeFd(fd)
      return decodeMessage(encodeMessage(answer.request, answer.flags & ~3, answer.payload))
    }
    return null
  }

  /** What becomes of a transfer: refused at once, or as it is checked. */
  transfer(direction: number, fd: number, meanwhile?: () => void): string {
    const begun = this.ask('SET_DEVICE_STATE_FD', { direction, phase: 0 }, [fd])
    if (begun !== 'SET_DEVICE_STATE_FD reply 0x100') return `${this.session.lastRefusal?.message}`
    const checked = this.ask('CHECK_DEVICE_STATE', null, [], meanwhile)
    if (checked === null) return 'waits'
    return checked === 'CHECK_DEVICE_STATE reply 0x0' ? 'done' : `${this.session.lastRefusal?.message}`
  }

  close(): void {
    this.session.close()
    this.socket.close()
  }
}

describe.skipIf(reason !== null)(
  `what a frontend gives to be read and written${reason === null ? '' : ` (${reason})`}`,
  () => {
    let folder: string
    let before: number
    let real: RealSession
    let given: number[]
    beforeEach(() => {
      before = processResources().openFds
      folder = mkdtempSync(join(tmpdir(), 'vring-transfer-'))
      given = []
      real = new RealSession()
    })
    afterEach(async () => {
      real.close()
      for (const fd of given) closeSync(fd)
      rmSync(folder, { recursive: true })
      await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(before), 10_000)
    })

    const open = (path: string, flags: string | number): number => {
      const fd = openSync(path, flags)
      given.push(fd)
      return fd
    }
    /** An end of a FIFO of its own, the other of which is open or closed again. */
    const pipe = (end: 'r' | 'w', other: 'open' | 'closed'): number => {
      const path = join(folder, `pipe-${given.length}`)
      spawnSync('mkfifo', [path])
      const both = openSync(path, 'r+')
      const fd = open(path, constants.O_NONBLOCK | (end === 'r' ? constants.O_RDONLY : constants.O_WRONLY))
      if (other === 'open') given.push(both)
      else closeSync(both)
      return fd
    }
    const memory = (bytes: number): number => {
      const fd = createMemfd('state', bytes)
      given.push(fd)
      return fd
    }

    test('a device state goes by pipes and files; by nothing else, and by no end that is the wrong one', () => {
      const event = EventFd.create()
      const [one, other] = UnixSocket.pair()
      const { transfer } = RealSession.prototype
      const [save, load] = [DEVICE_STATE_SAVE, DEVICE_STATE_LOAD]
      const file = join(folder, 'file')
      writeFileSync(file, 'abc')
      const said = (direction: number, fd: number): string => transfer.call(real, direction, fd)
      for (const direction of [save, load]) {
        for (const fd of [event.fd, one.fd, open('/dev/zero', 'r+'), open('/', 'r'), open('/proc/self/mem', 'r')])
          expect(said(direction, fd)).toMatch(/^device state descriptor is \d+; accepted: a pipe or a file/)
        expect(said(direction, open(file, 0o10000000))).toMatch(/EBADF/)
      }
      expect(said(save, open(file, 'r'))).toMatch(/^write: EBADF/)
      expect(said(load, open(file, 'a'))).toMatch(/^read: EBADF/)
      expect(said(save, pipe('r', 'open'))).toMatch(/^write: EBADF/)
      expect(said(load, pipe('w', 'open'))).toMatch(/^read: EBADF/)
      expect(said(save, pipe('w', 'closed'))).toMatch(/ENXIO/)
      expect([...real.device.state]).toEqual([9, 8, 7])
      expect(said(load, pipe('r', 'closed'))).toBe('done')
      expect([...real.device.state]).toEqual([])
      expect([said(load, open(file, 'r')), said(save, open(file, 'r+'))]).toEqual(['done', 'done'])
      for (const socket of [one, other]) socket.close()
      event.close()
    })

    test('a state without end, garbage, and one of another length end the transfer, not the session', () => {
      expect(real.transfer(DEVICE_STATE_LOAD, memory(1 << 30))).toBe(
        `device state is ${STATE_BYTES_MAX + 65_536}; accepted: at most ${STATE_BYTES_MAX}`,
      )
      expect(real.transfer(DEVICE_STATE_LOAD, memory(4096))).toBe('a state of 4096 bytes')
      const path = join(folder, 'endless')
      spawnSync('mkfifo', [path])
      const both = open(path, constants.O_RDWR | constants.O_NONBLOCK)
      const junk = new Uint8Array(65_536).fill(0xa5)
      expect(real.transfer(DEVICE_STATE_LOAD, open(path, 'r'), () => fill(both, junk))).toMatch(
        /^device state is \d+; accepted: at most/,
      )
      expect([real.session.closed, [...real.device.state]]).toEqual([false, [9, 8, 7]])
    })

    test.each([DEVICE_STATE_SAVE, DEVICE_STATE_LOAD])(
      'a pipe that stands still keeps its transfer open until the frontend hangs up, direction %i',
      (direction) => {
        const fd = pipe(direction === DEVICE_STATE_SAVE ? 'w' : 'r', 'open')
        if (direction === DEVICE_STATE_SAVE) fill(fd, new Uint8Array(4096))
        expect(real.transfer(direction, fd)).toBe('waits')
        const { read, write } = real.session.transferFds
        expect([read >= 0, write >= 0]).toEqual([direction === DEVICE_STATE_LOAD, direction === DEVICE_STATE_SAVE])
        real.socket.close()
        expect(real.session.poll()).toBe('closed')
      },
    )

    test('an inflight area that can not be mapped as it is said to be is refused, and the one before stays', () => {
      const shape = { queueCount: 2, queueSize: 64 }
      const good = { ...shape, size: 4096, offset: 0 }
      const file = memory(4096)
      const event = EventFd.create()
      expect(real.ask('SET_INFLIGHT_FD', good, [file])).toBe('SET_INFLIGHT_FD reply ack=0')
      for (const [area, fd, message] of [
        [{ ...good, size: 2 ** 40 }, memory(2048 + 2048), 'ack=0'],
        [{ ...good, size: 2000 }, file, 'inflight size is 2000; accepted: at least 2176'],
        [{ ...good, offset: 2048 }, memory(4096), 'region end is 4224; accepted: at most 4096'],
        [{ ...good, offset: 2 ** 52 }, file, 'region end is'],
        [{ ...good, offset: 12 }, file, 'inflight offset is 12; accepted: a multiple of 8'],
        [{ ...good, queueSize: 65_535 }, file, 'inflight queue size is 65535'],
        [{ ...good, queueCount: 65_535 }, file, 'inflight queues is 65535'],
        [good, event.fd, 'memory is in no file system'],
        [good, open('/', 'r'), 'memory is a file in'],
        [good, open(`/proc/self/fd/${memory(4096)}`, 'r'), 'EACCES'],
      ] as const) {
        const answer = real.ask('SET_INFLIGHT_FD', area, [fd])
        if (message === 'ack=0') expect(answer).toBe('SET_INFLIGHT_FD reply ack=0')
        else {
          expect(answer).toBe('SET_INFLIGHT_FD reply ack=1')
          expect(real.session.lastRefusal?.message).toContain(message)
        }
      }
      event.close()
      expect(real.session.closed).toBe(false)
    })

    test('an inflight area that is shortened while a ring uses it ends the session, as what is noted there is lost', () => {
      const bytes = 1 << 20
      const user = 2 ** 40
      const at = user + 0x1_0000
      const file = createMemfd('inflight', 8192, { sealed: false })
      given.push(file)
      const region = { guestAddress: 0, size: bytes, userAddress: user, mmapOffset: 0 }
      const kick = EventFd.create()
      real.ask('SET_MEM_TABLE', [region], [memory(bytes)])
      real.ask('SET_INFLIGHT_FD', { size: 4096, offset: 4096, queueCount: 1, queueSize: 16 }, [file])
      real.ask('SET_VRING_NUM', { index: 0, num: 16 })
      real.ask('SET_VRING_ADDR', { index: 0, flags: 0, desc: at, avail: at + 0x1000, used: at + 0x2000, log: 0 })
      real.ask('SET_VRING_KICK', { index: 0, hasFd: true }, [kick.fd])
      const inflight = real.device.vring!.inflight as { take(head: number): void }
      inflight.take(3)
      real.session.checkMemory()
      expect(real.session.closed).toBe(false)
      ftruncateSync(file, 4096)
      inflight.take(4)
      real.session.checkMemory()
      expect(real.session.error?.message).toBe('pages of the inflight area do not exist any more')
      kick.close()
    })
  },
)
