import { existsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DeviceName } from '../src/device/profile.ts'

/** A back-end of others, as Debian 12 has it. */
export interface Peer {
  /** `dpdk`: in the kept results. */
  readonly id: 'dpdk' | 'qemu'
  readonly name: string
  readonly program: string
  readonly debianPackage: string
  readonly device: DeviceName
  /** Shell command that starts it; makes what it needs in the folder. */
  spawn(folder: string): string
}

export const PEERS: readonly Peer[] = [
  {
    id: 'dpdk',
    name: 'DPDK 22.11, testpmd with net_vhost',
    program: '/usr/bin/dpdk-testpmd',
    debianPackage: 'dpdk-dev',
    device: 'net',
    spawn: (folder) =>
      `RUNTIME_DIRECTORY=${folder} exec dpdk-testpmd --lcores 0@0,1@1 --file-prefix=judge${process.pid} --no-pci --no-huge ` +
      '-m 256 --vdev net_vhost0,iface={socket},queues=4,iommu-support=1 -- -i --forward-mode=io --port-topology=loop ' +
      '--auto-start --total-num-mbufs=16384 --rxq=4 --txq=4',
  },
  {
    id: 'qemu',
    name: 'QEMU 7.2, qemu-storage-daemon with vhost-user-blk',
    program: '/usr/bin/qemu-storage-daemon',
    debianPackage: 'qemu-system-common',
    device: 'blk',
    spawn(folder) {
      const disk = join(folder, 'disk.img')
      writeFileSync(disk, '')
      truncateSync(disk, 16 << 20)
      return (
        `exec qemu-storage-daemon --blockdev driver=file,node-name=f,filename=${disk} --export ` +
        'type=vhost-user-blk,id=e,addr.type=unix,addr.path={socket},node-name=f,writable=on,num-queues=4'
      )
    },
  },
]

/** Why a peer can't be judged here, or null. */
export function missingPeer({ program, debianPackage }: Peer): string | null {
  return existsSync(program) ? null : `${program} (Debian package ${debianPackage}) is missing`
}
