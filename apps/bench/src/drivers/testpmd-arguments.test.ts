import { describe, expect, it } from 'vitest'
import { driverOptionsOf, type TestpmdOptions, telemetryPath, testpmdArguments } from './testpmd-arguments.ts'

describe('arguments of testpmd', () => {
  const common = {
    binary: 'x',
    socket: '/tmp/s',
    queueSize: 256,
    frameBytes: 64,
    forward: 'drop',
    driver: driverOptionsOf({ ring: 'split', inOrder: false }),
  } as const
  const driver = { ...common, role: 'driver', cpu: 0, hugePages: true } as const
  const backend = { ...common, role: 'backend', cpu: 1, hugePages: false } as const
  const text = (options: TestpmdOptions): string => testpmdArguments(options).join(' ')

  it('the driver connects, the backend makes the socket, and both stay on their CPU', () => {
    expect(text(driver)).toContain('--lcores 0@0,1@0')
    expect(text(driver)).toContain(
      'net_virtio_user0,mac=00:01:02:03:04:05,path=/tmp/s,queues=1,queue_size=256,in_order=0,packed_vq=0,mrg_rxbuf=1',
    )
    expect(text(driver)).toContain('--auto-start --forward-mode=txonly --txpkts=64')
    expect(text(driver)).toContain('--in-memory --single-file-segments -m 64')
    expect(text(backend)).toContain('net_vhost0,iface=/tmp/s,queues=1')
    expect(text(backend)).toContain('--forward-mode=rxonly')
    expect(text(backend)).toContain('--no-huge -m 512')
  })

  it('what a driver offers is always written out', () => {
    const options = { inOrder: true, packed: true, mergeable: false }
    expect(text({ ...driver, driver: options })).toContain(',queue_size=256,in_order=1,packed_vq=1,mrg_rxbuf=0 -- ')
  })

  it('each process of a folder has a telemetry socket of its own', () => {
    const paths = ['/tmp/f/0.sock', '/tmp/f/1.sock'].map((socket) => telemetryPath({ role: 'backend', socket }))
    expect(paths[0]).toMatch(/^\/tmp\/f\/dpdk\/vring-backend-\d+-0\/dpdk_telemetry\.v2$/)
    expect(new Set(paths).size).toBe(2)
  })

  it('a loopback gives frames back on both sides, and the driver waits for the command that sends the first', () => {
    expect(text({ ...driver, forward: 'loopback' })).toMatch(/--forward-mode=io --txpkts=64$/)
    expect(text({ ...driver, forward: 'loopback' })).not.toContain('--auto-start')
    expect(text({ ...backend, forward: 'loopback' })).toMatch(/--auto-start --forward-mode=io$/)
  })

  it('a driver without a device sends into nothing', () => {
    expect(text({ ...driver, forward: 'nowhere' })).toContain('--vdev net_null0 -- ')
    expect(text({ ...driver, forward: 'nowhere' })).toContain('--forward-mode=txonly')
  })

  it.each([
    ['tap', '--vdev net_tap0,iface=if0 -- '],
    ['af-xdp', '--vdev net_af_xdp0,iface=if0,start_queue=0,queue_count=1,force_copy=1 -- '],
  ] as const)('a backend forwards to %s', (forward, device) => {
    expect(text({ ...backend, forward, interface: 'if0' })).toContain(`net_vhost0,iface=/tmp/s,queues=1 ${device}`)
    expect(text({ ...backend, forward, interface: 'if0' })).toMatch(/--forward-mode=io$/)
  })
})
