import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { unsupportedHost } from '../src/libc.ts'

const COMPILER = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0)

/** Why this host's C headers can't be asked, or null. */
export const noHeaders: string | null =
  unsupportedHost() ?? (COMPILER === undefined ? 'no C compiler (cc, gcc or clang)' : null)

/** Title of a group of tests, with the reason where it is skipped. */
export function titled(title: string): string {
  return noHeaders === null ? title : `${title} (skipped: ${noHeaders})`
}

/**
 * Holds values to what a C program says that this host's compiler makes and that prints them.
 *
 * @param headers to include, as `linux/if_tun.h`
 * @param expected pairs of a C expression and its value, as `['sizeof(struct iovec)', 16]`
 */
export function expectInC(headers: readonly string[], expected: readonly (readonly [string, unknown])[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'vring-abi-'))
  try {
    const includes = ['stdio.h', ...headers].map((header) => `#include <${header}>`)
    const lines = expected.map(([c]) => `printf("%llu\\n", (unsigned long long)(${c}));`)
    const source = join(folder, 'abi.c')
    writeFileSync(source, ['#define _GNU_SOURCE', ...includes, 'int main(void) {', ...lines, 'return 0; }'].join('\n'))
    const compiled = spawnSync(COMPILER!, ['-o', join(folder, 'abi'), source], { encoding: 'utf8' })
    expect(compiled.stderr).toBe('')
    const values = spawnSync(join(folder, 'abi'), { encoding: 'utf8' }).stdout.trim().split('\n')
    expect(expected.map(([c], index) => `${c} ${values[index]}`)).toEqual(expected.map(([c, value]) => `${c} ${value}`))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
