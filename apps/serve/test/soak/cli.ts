/**
 * `npm run soak -- --time 10m`: drivers, guests, kills, links and hostile neighbours side by side, and what is left of
 * it.
 */
import { parseArgs } from 'node:util'
import { parseDuration } from '../../../../fuzz/duration.ts'
import { runSoak } from './soak.ts'

const USAGE = `npm run soak -- [--time 10m] [--seed N] [--without-peers]

--time           how long, as in 30s, 10m, 1h; default 1m
--seed           of what is done when; default: the clock's
--without-peers  without QEMU and DPDK, which take part where they are installed

Needs root: it makes a network namespace of its own. Exit code 1 when something is wrong.`

/** @returns the exit code: 0, 1 when something is wrong, 2 for arguments */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      time: { type: 'string', default: '1m' },
      seed: { type: 'string' },
      'without-peers': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const timeMs = parseDuration(values.time)
  const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed)
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw new Error(`--seed is ${values.seed}; accepted: 0 to 2^32 - 1`)
  if (process.getuid?.() !== 0) throw new Error('needs root')
  let stopped = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (stopped = true))
  const log = (line: string): void => console.log(line)
  log(`soak: ${values.time}, seed ${seed}, Node ${process.version}`)
  const { lines, failures } = await runSoak({
    timeMs,
    seed,
    peers: !values['without-peers'],
    log,
    stopped: () => stopped,
  })
  for (const line of lines) log(line)
  for (const failure of failures) log(`WRONG: ${failure}`)
  log(failures.length === 0 ? 'nothing is wrong' : `${failures.length} things are wrong`)
  return failures.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`soak: ${error instanceof Error ? error.message : error}\n${USAGE}`)
  process.exitCode = 2
}
