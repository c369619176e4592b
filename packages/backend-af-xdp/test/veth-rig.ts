import { spawnSync } from 'node:child_process'
import { deleteLink, interfaceIndex, processResources, systemErrnoOf, unshareNetwork } from '@vring/linux'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { AfXdpInterface, AfXdpQueue, type AfXdpQueueOptions } from '../src/index.ts'

const isRoot = process.getuid?.() === 0

/** Runs a command, its words separated by a space. */
export function run(line: string): void {
  const [command, ...args] = line.split(' ')
  const { status, stderr } = spawnSync(command!, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${line}: ${stderr}`)
}

/** Interfaces in a network namespace of the test's own; what is opened on them is closed after each test. */
export interface VethRig {
  keep<T extends { close(): void }>(one: T): T
  /** Makes the veth pair xskA and xskB, up; `queues` each way, or what the kernel gives. */
  link(mtu?: number, queues?: number): void
  /** A socket on queue 0 of an interface. */
  end(name: string, options?: AfXdpQueueOptions): AfXdpQueue
  /** A veth pair with a socket on both ends. */
  pair(options?: AfXdpQueueOptions, mtu?: number): [AfXdpQueue, AfXdpQueue]
}

/** Tests over veth, which need root, and after them one that finds what they left open. */
export function describeVeth(title: string, body: (rig: VethRig) => void): void {
  describe.skipIf(!isRoot)(`AF_XDP over veth: ${title}${isRoot ? '' : ' (skipped: needs root)'}`, () => {
    const closing: { close(): void }[] = []
    let openFds = 0
    beforeAll(() => {
      unshareNetwork()
      openFds = processResources().openFds
    })
    afterEach(() => {
      for (const one of closing.splice(0).reverse()) one.close()
      for (const name of ['xskA', 'xskB', 'xskC', 'xskBr']) {
        try {
          deleteLink(interfaceIndex(name))
        } catch (error) {
          expect(systemErrnoOf(error)).toBe('ENODEV')
        }
      }
    })

    const rig: VethRig = {
      keep(one) {
        closing.push(one)
        return one
      },
      link(mtu = 1500, queues) {
        const each = queues === undefined ? '' : ` numtxqueues ${queues} numrxqueues ${queues}`
        run(`ip link add xskA mtu ${mtu}${each} type veth peer name xskB mtu ${mtu}${each}`)
        for (const name of ['xskA', 'xskB']) run(`ip link set ${name} up`)
      },
      end(name, options = {}) {
        const port = rig.keep(AfXdpInterface.open({ name }))
        return rig.keep(new AfXdpQueue(port.handle(0), options))
      },
      pair(options = {}, mtu = 1500) {
        rig.link(mtu)
        return [rig.end('xskA', options), rig.end('xskB', options)]
      },
    }
    body(rig)

    test('descriptors of sockets, maps and programs are closed', async () => {
      await vi.waitFor(() => expect(processResources().openFds).toBeLessThanOrEqual(openFds), 10_000)
    })
  })
}
