import assert from 'node:assert/strict'
import { encodeMessage, FLAG_NEED_REPLY, MESSAGES } from '@vring/vhost-user'
import type { Fault } from '../fault.ts'
import { trackingSession } from '../sessions.ts'

export const fault: Fault = {
  id: 'QEMU issue 4403',
  system: 'libvhost-user, messages',
  fault: 'what a message says of itself is an index or a length out of bounds',
  here: 'packages/vhost-user/src/session/backend-session.ts',
  holds:
    'every request with every small payload, of zeros, ones and counts that lie, is done or refused by a line that names it',
  notHere: null,
  explored: 'a message is read once, to private memory',
  mutants: [
    {
      change: 'regions are counted as the message says',
      file: 'packages/vhost-user/src/messages/payload.ts',
      from: 'if (count > room) throw',
      to: 'if (count < 0) throw',
    },
    {
      change: 'queue indices are not checked',
      file: 'packages/vhost-user/src/session/session-rings.ts',
      from: "if (vring === undefined) throw refused('ERR_PROTOCOL', 'queue index'",
      to: "if (index < 0) throw refused('ERR_PROTOCOL', 'queue index'",
    },
    {
      change: 'sizes of payloads are not checked',
      file: 'packages/vhost-user/src/messages/check-request.ts',
      from: 'if (bytes < least || bytes > most) throw',
      to: 'if (bytes < 0) throw',
    },
  ],
  run() {
    const faults: unknown[] = []
    for (const [name, { id, fds, request }] of Object.entries(MESSAGES)) {
      const [least, most] = request.bytes
      for (const bytes of new Set([0, 4, 8, Math.max(least - 1, 0), least, most, most + 4]))
        for (const fill of [0, 1, 0xff]) {
          const pair = trackingSession({ onFault: (error) => faults.push(error) }).start(0)
          const files = Array.from({ length: fds[0] }, () => pair.host.file('memory'))
          const answers = pair.raw(encodeMessage(id, FLAG_NEED_REPLY, new Uint8Array(bytes).fill(fill)), files)
          // With no bits set, acknowledgements are no longer negotiated when it is done.
          const answered = answers.length === 1 || name === 'SET_PROTOCOL_FEATURES'
          assert.ok(answered || pair.session.waiting || pair.session.closed, `${name}: no answer`)
          pair.session.close()
          assert.deepEqual(faults, [], name)
          assert.deepEqual(pair.leaks(), [], `${name}, ${bytes} bytes of ${fill}`)
        }
    }
  },
}
