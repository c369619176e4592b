import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BenchError, missingError } from '../bench-error.ts'
import { EXIT_INTERNAL } from '../exit-codes.ts'
import { packageFile } from '../package-file.ts'
import { findProgram } from '../system/privileges.ts'
import type { PeerProgram } from './peer-program.ts'

/**
 * Compiles peers/io-uring-tap.c into a folder.
 *
 * @throws BenchError with exit code 4 where there is no compiler
 */
export function compileIoUringPeer(folder: string): PeerProgram {
  const compiler = findProgram('gcc') ?? findProgram('cc')
  if (compiler === null)
    throw missingError('a C compiler', 'install the Debian packages gcc and libc6-dev (apt-get install gcc libc6-dev)')
  const binary = join(folder, 'io-uring-tap')
  const source = fileURLToPath(packageFile('peers/io-uring-tap.c'))
  const { status, stderr, error } = spawnSync(compiler, ['-O2', '-o', binary, source], { encoding: 'utf8' })
  if (status !== 0)
    throw new BenchError(EXIT_INTERNAL, `${compiler} ${source}: ${error?.message ?? firstError(stderr)}`)
  const version = spawnSync(compiler, ['-dumpfullversion'], { encoding: 'utf8' }).stdout.trim()
  return { binary, version: `${basename(compiler)} ${version}` }
}

function firstError(text: string): string {
  const lines = text.split('\n')
  return (lines.find((line) => line.includes('error')) ?? lines[0] ?? '').trim()
}
