import type { AccessorPlugin, AccessorSupports } from '@vring/accessor'
import { speculate } from '@vring/speculation'
import { type Mutant, mutatePlugin } from './mutant.ts'

/** Correct accessors whose `supports` says something else: each field, in each direction that a plugin can be wrong in. */
export const supportsMutants: readonly Mutant[] = [
  claim(
    'hides-its-notifier',
    { needsMmuNotifier: false },
    'an accessor that needs no MMU notifier registers none, and maps nothing',
    ({ supports }) => supports.needsMmuNotifier,
  ),
  claim(
    'claims-a-notifier',
    { needsMmuNotifier: true },
    'an accessor that needs a MMU notifier registers one',
    ({ supports }) => !supports.needsMmuNotifier,
  ),
  claim(
    'hides-its-prefetch',
    { needsPrefetch: false },
    'an accessor that needs no prefetch goes the same way with and without it',
    ({ supports }) => supports.needsPrefetch,
  ),
  claim(
    'claims-a-prefetch',
    { needsPrefetch: true },
    'an accessor that needs prefetch goes another way without it',
    ({ supports }) => !supports.needsPrefetch,
  ),
  claim(
    'hides-its-fallback',
    { fallsBack: false },
    'an accessor that never falls back counts no access as a fallback',
    ({ supports }) => supports.fallsBack,
  ),
  claim(
    'denies-its-safety',
    { speculationSafe: false },
    'an accessor that is not safe under speculation is found out, on a ring that masks nothing',
    (plugin) => plugin.supports.speculationSafe && speculate(plugin, { depth: 1, nospec: 'none' }).verdict === 'clear',
  ),
]

function claim(
  name: string,
  supports: Partial<AccessorSupports>,
  killedBy: string,
  appliesTo: (plugin: AccessorPlugin) => boolean,
): Mutant {
  const [[field, value]] = Object.entries(supports) as [[string, boolean]]
  return {
    name,
    flaw: `supports says ${field}: ${value}, and it is not so`,
    killedBy,
    appliesTo,
    mutate: (plugin) => mutatePlugin(plugin, { supports }),
  }
}
