import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { interfaceIndex, isProgramLoaded, linkInfo } from '@vring/linux'

/** Names of the interfaces of this network namespace. */
export function interfaces(): string[] {
  const { stdout } = spawnSync('ip', ['-json', 'link'], { encoding: 'utf8' })
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname).sort()
}

/** Number of the XDP program on an interface. */
export function programOn(name: string): number {
  return linkInfo(interfaceIndex(name)).xdp.programId
}

/** Is the interface gone, and the program that ran on it? */
export function isGone(name: string, programId: number): boolean {
  return !interfaces().includes(name) && !isProgramLoaded(programId)
}

/** Processes whose command line names this path, this one left out. */
export function processesNaming(path: string): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .map((pid) => `${pid} ${readProc(`${pid}/cmdline`).replaceAll('\0', ' ')}`)
    .filter((line) => line.includes(path))
}

/**
 * What a process has open and mapped that a session could leave. Connections of its status page come and go: they do
 * not count.
 */
export function holdings(pid: number): { readonly fds: number; readonly sharedMappings: number } {
  const maps = readProc(`${pid}/maps`).split('\n')
  const tcp = readProc(`${pid}/net/tcp`).split('\n').slice(1)
  const status = new Set(tcp.map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`))
  return {
    fds: readdirSync(`/proc/${pid}/fd`).filter((fd) => !status.has(linkOf(`${pid}/fd/${fd}`))).length,
    // The context of asynchronous I/O, /[aio], is the worker's own and stays.
    sharedMappings: maps.filter(
      (line) => !line.includes('/[aio]') && /\/memfd:|\/dev\/shm|\/dev\/hugepages|rte_map|\(deleted\)/.test(line),
    ).length,
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(`/proc/${path}`)
  } catch {
    // It was closed meanwhile.
    return ''
  }
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    // It ended meanwhile.
    return ''
  }
}
