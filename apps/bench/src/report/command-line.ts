import type { Results } from '../results/results.ts'

/** What runs this again, with its seed, whether that was given or not. */
export function commandLine({ command, seed }: Pick<Results, 'command' | 'seed'>): string {
  const given = command.some((word) => word === '--seed' || word.startsWith('--seed='))
  return [...command, ...(given ? [] : ['--seed', String(seed)])].join(' ')
}
