import { VIRTIO_NET_F_MTU } from '@vring/layout'
import {
  PROTOCOL_F_NET_MTU,
  PROTOCOL_F_RARP,
  PROTOCOL_F_REPLY_ACK,
  PROTOCOL_F_RESET_DEVICE,
  PROTOCOL_F_STATUS,
} from '@vring/vhost-user'
import { type Case, check, same } from '../case.ts'
import { message, virtio } from '../clause.ts'
import { u64 } from '../wire/payloads.ts'

const STATUS = [PROTOCOL_F_STATUS, PROTOCOL_F_REPLY_ACK]
/** ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK. */
const STEPS = [1, 3, 11, 15] as const

/** Device status, reset, and what network devices are told beside their rings. */
export const status: readonly Case[] = [
  {
    id: 'status/read-back',
    title: 'the status that was set is what GET_STATUS answers',
    clause: message('SET_STATUS'),
    level: 'MUST',
    needs: { protocol: STATUS },
    run(bench) {
      const { connection } = bench.open({ protocol: STATUS, unshared: true })
      for (const step of STEPS) {
        same(connection.status('SET_STATUS', u64(step)), 0n, `the status of SET_STATUS ${step}`)
        same(connection.askU64('GET_STATUS'), BigInt(step), 'GET_STATUS')
      }
    },
  },
  {
    id: 'status/runs',
    title: 'a device whose status goes to DRIVER_OK serves its rings',
    clause: message('SET_STATUS'),
    level: 'MUST',
    needs: { protocol: STATUS, device: 'any known' },
    run(bench) {
      const session = bench.open({ protocol: STATUS })
      for (const step of STEPS.slice(0, 3)) session.tell('SET_STATUS', u64(step))
      const queue = session.startDevice()
      session.tell('SET_STATUS', u64(STEPS[3]))
      session.work(queue, 3)
    },
  },
  {
    id: 'status/reset',
    title: 'status 0 resets the device: its rings stop',
    clause: virtio('2.1.2'),
    level: 'MUST',
    needs: { protocol: STATUS, device: 'any known' },
    run(bench) {
      const session = bench.open({ protocol: STATUS })
      for (const step of STEPS.slice(0, 3)) session.tell('SET_STATUS', u64(step))
      const queue = session.startDevice()
      session.tell('SET_STATUS', u64(STEPS[3]))
      session.work(queue)
      session.tell('SET_STATUS', u64(0))
      same(session.connection.askU64('GET_STATUS'), 0n, 'GET_STATUS')
      session.submit(queue)
      queue.kick()
      queue.staysUnused('the device was reset')
    },
  },
  {
    id: 'status/too-large',
    title: 'a status of more than 8 bits leaves the connection in step',
    clause: message('SET_STATUS'),
    level: 'robustness',
    needs: { protocol: STATUS },
    run(bench) {
      const { connection } = bench.open({ protocol: STATUS, unshared: true })
      if (connection.attempt('SET_STATUS', u64(2n ** 40n)) !== 'closed') connection.isInStep()
    },
  },
  {
    id: 'status/reset-device',
    title: 'RESET_DEVICE stops and disables all rings',
    clause: message('RESET_DEVICE'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_RESET_DEVICE, PROTOCOL_F_REPLY_ACK], device: 'any known' },
    run(bench) {
      const session = bench.open({ protocol: [PROTOCOL_F_RESET_DEVICE] })
      const queue = session.startDevice()
      session.work(queue, 3)
      session.tell('RESET_DEVICE')
      session.submit(queue)
      queue.kick()
      queue.staysUnused('the device was reset')
    },
  },
  {
    id: 'status/reset-device-again',
    title: 'a device that was reset by RESET_DEVICE can be set up again',
    clause: message('RESET_DEVICE'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_RESET_DEVICE, PROTOCOL_F_REPLY_ACK], device: 'any known' },
    run(bench) {
      const session = bench.open({ protocol: [PROTOCOL_F_RESET_DEVICE] })
      for (let round = 0; round < 3; round++) {
        session.work(session.startDevice(), 3)
        session.tell('RESET_DEVICE')
        session.tell('SET_FEATURES', u64(session.features))
      }
    },
  },
  {
    id: 'net-messages/mtu',
    title: 'an MTU of 1500 is acknowledged by 0',
    clause: message('NET_SET_MTU'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_NET_MTU, PROTOCOL_F_REPLY_ACK], features: [VIRTIO_NET_F_MTU], device: 'net' },
    run(bench) {
      const { connection } = bench.open({ protocol: [PROTOCOL_F_NET_MTU], features: [VIRTIO_NET_F_MTU] })
      same(connection.status('NET_SET_MTU', u64(1500)), 0n, 'the status')
    },
  },
  {
    id: 'net-messages/mtu-invalid',
    title: 'an MTU below 68 is acknowledged by a failure',
    clause: message('NET_SET_MTU'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_NET_MTU, PROTOCOL_F_REPLY_ACK], features: [VIRTIO_NET_F_MTU], device: 'net' },
    run(bench) {
      const { connection } = bench.open({ protocol: [PROTOCOL_F_NET_MTU], features: [VIRTIO_NET_F_MTU] })
      const outcome = connection.attempt('NET_SET_MTU', u64(10))
      check(outcome === 'refused' || outcome === 'closed', `an MTU of 10: ${outcome}`)
    },
  },
  {
    id: 'net-messages/rarp',
    title: 'SEND_RARP is taken while rings run, and they go on',
    clause: message('SEND_RARP'),
    level: 'MUST',
    needs: { protocol: [PROTOCOL_F_RARP, PROTOCOL_F_REPLY_ACK], device: 'net' },
    run(bench) {
      const session = bench.open({ protocol: [PROTOCOL_F_RARP] })
      const queue = session.startDevice()
      const mac = new Uint8Array(8)
      mac.set([2, 0, 0, 0, 0, 9])
      same(session.connection.status('SEND_RARP', mac), 0n, 'the status')
      session.work(queue)
    },
  },
]
