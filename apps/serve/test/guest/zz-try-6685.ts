import { mkdtempSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { unshareNetwork } from '@vring/linux'
import { buildGuestImage } from '/tmp/h1wt/apps/serve/test/guest/guest-image.ts'
import { Guest } from '/tmp/h1wt/apps/serve/test/guest/guest.ts'
import { DaemonProcess } from '/tmp/h1wt/apps/serve/test/daemon-process.ts'
const folder = mkdtempSync('/tmp/h1-')
unshareNetwork()
spawnSync('ip', ['link', 'set', 'lo', 'up'])
const image = buildGuestImage(folder)
const socket = folder + '/vm.sock'
const d = new DaemonProcess(['--socket', socket, '--backend', 'tap:vring0', '--metrics', '127.0.0.1:0', '--queues', '2'], 'built')
await d.ready()
spawnSync('ip', ['addr', 'add', '192.0.2.1/24', 'dev', 'vring0'])
spawnSync('ip', ['link', 'set', 'vring0', 'mtu', '9000'])
let g: Guest | undefined
try {
g = await Guest.boot({ image, folder, chardev: `path=${socket}`, card: process.argv[3]?.split(',') ?? [], queues: Number(process.argv[2]) })
for (const c of ['cat /sys/class/net/eth0/device/features; ls /sys/class/net/eth0/queues; cat /sys/class/net/eth0/mtu', 'ip link set lo up; ip link set eth0 up; ip addr add 192.0.2.2/24 dev eth0', 'taskset 1 ping -c 6 -i 0.1 -W 2 192.0.2.1; true', 'taskset 2 ping -c 6 -i 0.1 -W 2 192.0.2.1; true', 'ping -c 3 -i 0.1 -W 2 -s 8000 192.0.2.1; true', 'cat /proc/interrupts | grep virtio', 'dmesg | tail -5'])
  console.log(await g.run(c))
} catch (e) { console.log(e) }
const show = async () => console.log((await (await fetch(/metrics on (\S+)\n/.exec(d.output)![1] + 'metrics')).text()).split('\n').filter((l: string) => /dropped|broken|accesses|notif|wake|packets/.test(l) && !l.startsWith('#')).join('\n'))
await show()
await g?.kill()
await d.end('SIGTERM')
console.log(d.output)
