import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { interfaceIndex, linkInfo, systemErrnoOf } from '@vring/linux'
import { XDP_DROP } from '@vring/xdp'
import { expect, test } from 'vitest'
import { describeLinuxTap, ip } from '../../test/linux-tap-fixture.ts'
import { CountingXdp, LinuxTap } from '../linux.ts'

describeLinuxTap('a Linux TAP', ({ keep, open }) => {
  test('a persistent interface stays and is opened again; a temporary one goes', () => {
    open({ name: 'vringkeep', persistent: true }).close()
    expect(interfaceIndex('vringkeep')).toBeGreaterThan(0)
    open({ name: 'vringkeep', create: false, persistent: false }).close()
    expect(() => interfaceIndex('vringkeep')).toThrow(/ENODEV/)
  })

  test('what is missing, busy, no TAP or not possible is an error that says so', () => {
    expect(() => LinuxTap.open({ name: 'vringnone', create: false })).toThrow(/ENODEV.*vringnone/)
    open({ name: 'vringbusy' })
    expect(() => LinuxTap.open({ name: 'vringbusy' })).toThrow(/EBUSY.*another process has it open/)
    expect(() => LinuxTap.open({ name: 'lo' })).toThrow(/EINVAL.*no TAP/)
    expect(() => LinuxTap.open({ name: 'a/b' })).toThrow(/interface is a\/b/)
    expect(() => LinuxTap.open({ queues: 0 })).toThrow(/queues is 0/)
    expect(() => LinuxTap.open({ offloads: { tso4: true } })).toThrow(/segmentation needs it/)
    expect(() => LinuxTap.open({ name: 'vringmtu', mtu: 10, persistent: true })).toThrow(/netlink: EINVAL/)
    expect(() => interfaceIndex('vringmtu')).toThrow(/ENODEV/)
    const tap = open()
    const one = keep(new CountingXdp(XDP_DROP))
    tap.attachXdp(one.program)
    let error: unknown
    try {
      tap.attachXdp(one.program)
    } catch (caught) {
      error = caught
    }
    expect(systemErrnoOf(error)).toBe('EBUSY')
  })

  test('of a process that is killed neither interface nor program remains', async () => {
    const script = `
      import { CountingXdp, LinuxTap, LinuxTapQueue } from '@vring/backend-tap/linux'
      import { attachXdp, interfaceIndex } from '@vring/linux'
      const tap = LinuxTap.open({ name: 'vringkill' })
      const drop = new CountingXdp(1)
      tap.attachXdp(drop.program)
      new LinuxTapQueue(tap.queues[0])
      attachXdp(drop.program, interfaceIndex('vringhost'))
      console.log('ready')
      setInterval(() => {}, 1000)`
    ip('link', 'add', 'vringhost', 'type', 'veth', 'peer', 'name', 'vringpeer')
    const host = interfaceIndex('vringhost')
    for (let i = 0; i < 2; i++) {
      const flags = ['--import', 'tsx', '--conditions=@vring/source', '--input-type=module', '-e', script]
      const child = spawn(process.execPath, flags, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] })
      const exit = once(child, 'exit')
      await once(child.stdout, 'data')
      expect(linkInfo(host).xdp.mode).toBe('native')
      expect(interfaceIndex('vringkill')).toBeGreaterThan(0)
      child.kill('SIGKILL')
      await exit
      // The kernel lets go of the files of a dead process on its own time.
      await expect.poll(() => linkInfo(host).xdp.mode, { timeout: 5000 }).toBe('none')
      await expect.poll(isMissing('vringkill'), { timeout: 5000 }).toBe(true)
    }
    ip('link', 'del', 'vringhost')
  })
})

/** Does the interface not exist? */
function isMissing(name: string): () => boolean {
  return () => {
    try {
      interfaceIndex(name)
      return false
    } catch (error) {
      return systemErrnoOf(error) === 'ENODEV'
    }
  }
}
