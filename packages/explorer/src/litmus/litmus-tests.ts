import type { FinalState } from '../scenario.ts'

/** A question of the literature about a memory model, with its answers. */
export interface LitmusTest {
  /** As the Linux memory model names it, or the literature where that has no such test. */
  readonly name: string
  /** As `parseLitmus` reads it. Dependencies of the published test are not in it. */
  readonly program: string
  /** May a run end so? Under sequential consistency none may. */
  readonly asked: FinalState
  /** Is it allowed under x86-TSO? */
  readonly tso: boolean
  /** Is it allowed by the Linux memory model? */
  readonly lkmm: boolean
  /** Why the model `weak` answers otherwise than the Linux memory model; null: it does not. */
  readonly difference: string | null
}

const LOADS_WAIT = 'stronger: a load takes its value before the stores that come after it are made'
const ONE_MEMORY = 'stronger: a store becomes visible to all other threads at once'
const RELEASE = 'stronger: a release orders earlier stores before all later stores, not only before its own'
const ACQUIRE = 'stronger: an acquire orders all earlier loads before later loads, not only its own'
const NO_DEPENDENCIES = 'weaker: no load is ordered by an address that it depends on'

/**
 * The classic litmus tests. The answers are of the published models. One is x86-TSO (Owens, Sarkar, Sewell, A Better
 * x86 Memory Model, 2009, and Intel's and AMD's manuals: only a load may overtake an earlier store). The other is the
 * Linux memory model (tools/memory-model/litmus-tests; Alglave and others, Frightening Small Children and Disconcerting
 * Grown-ups, 2018).
 */
export const LITMUS_TESTS: readonly LitmusTest[] = [
  ...test('SB+poonceonces', 'x=1; r0=y || y=1; r1=x', { r0: 0, r1: 0 }, { tso: true, lkmm: true }),
  ...test('SB+fencembonceonces', 'x=1; mb; r0=y || y=1; mb; r1=x', { r0: 0, r1: 0 }),
  ...test(
    'SB+releases+acquires',
    'x=release 1; r0=acquire y || y=release 1; r1=acquire x',
    { r0: 0, r1: 0 },
    {
      tso: true,
      lkmm: true,
    },
  ),
  ...test(
    'SB+rfionceonce-poonceonces',
    'x=1; r0=x; r1=y || y=1; r2=y; r3=x',
    { r0: 1, r1: 0, r2: 1, r3: 0 },
    { tso: true, lkmm: true },
  ),
  ...test('MP+poonceonces', 'x=1; y=1 || r0=y; r1=x', { r0: 1, r1: 0 }, { lkmm: true }),
  ...test('MP+fencewmbonceonce+poonceonces', 'x=1; wmb; y=1 || r0=y; r1=x', { r0: 1, r1: 0 }, { lkmm: true }),
  ...test('MP+poonceonces+fencermbonceonce', 'x=1; y=1 || r0=y; rmb; r1=x', { r0: 1, r1: 0 }, { lkmm: true }),
  ...test('MP+fencewmbonceonce+fencermbonceonce', 'x=1; wmb; y=1 || r0=y; rmb; r1=x', { r0: 1, r1: 0 }),
  ...test('MP+pooncerelease+poacquireonce', 'x=1; y=release 1 || r0=acquire y; r1=x', { r0: 1, r1: 0 }),
  ...test(
    'MP+onceassign+derefonce',
    'x=1; y=release 1 || r0=y; r1=x',
    { r0: 1, r1: 0 },
    { difference: NO_DEPENDENCIES },
  ),
  ...test(
    'MP+releaseonce of another variable+fencermbonceonce',
    'x=1; z=release 1; y=1 || r0=y; rmb; r1=x',
    { r0: 1, r1: 0 },
    { lkmm: true, difference: RELEASE },
  ),
  ...test(
    'MP+fencewmbonceonce+acquireonce of another variable',
    'x=1; wmb; y=1 || r0=y; r1=acquire z; r2=x',
    { r0: 1, r2: 0 },
    { lkmm: true, difference: ACQUIRE },
  ),
  ...test('LB+poonceonces', 'r0=x; y=1 || r1=y; x=1', { r0: 1, r1: 1 }, { lkmm: true, difference: LOADS_WAIT }),
  ...test('LB+fencembonceonce+ctrlonceonce', 'r0=x; y=1 || r1=y; mb; x=1', { r0: 1, r1: 1 }),
  ...test('LB+poacquireonce+pooncerelease', 'r0=x; y=release 1 || r1=acquire y; x=1', { r0: 1, r1: 1 }),
  ...test('R+poonceonces', 'x=1; y=1 || y=2; r0=x', { y: 2, r0: 0 }, { tso: true, lkmm: true }),
  ...test('R+fencembonceonces', 'x=1; mb; y=1 || y=2; mb; r0=x', { y: 2, r0: 0 }),
  ...test('S+poonceonces', 'x=2; y=1 || r0=y; x=1', { x: 2, r0: 1 }, { lkmm: true }),
  ...test('S+fencewmbonceonce+poacquireonce', 'x=2; wmb; y=1 || r0=acquire y; x=1', { x: 2, r0: 1 }),
  ...test('2+2W+poonceonces', 'x=1; y=2 || y=1; x=2', { x: 1, y: 1 }, { lkmm: true }),
  ...test('2+2W+fencembonceonces', 'x=1; mb; y=2 || y=1; mb; x=2', { x: 1, y: 1 }),
  ...test('WRC+poonceonces+Once', 'x=1 || r0=x; y=1 || r1=y; r2=x', { r0: 1, r1: 1, r2: 0 }, { lkmm: true }),
  ...test('WRC+pooncerelease+fencermbonceonce+Once', 'x=1 || r0=x; y=release 1 || r1=y; rmb; r2=x', {
    r0: 1,
    r1: 1,
    r2: 0,
  }),
  ...test('ISA2+poonceonces', 'x=1; y=1 || r0=y; z=1 || r1=z; r2=x', { r0: 1, r1: 1, r2: 0 }, { lkmm: true }),
  ...test(
    'ISA2+pooncerelease+poacquirerelease+poacquireonce',
    'x=1; y=release 1 || r0=acquire y; z=release 1 || r1=acquire z; r2=x',
    { r0: 1, r1: 1, r2: 0 },
  ),
  ...test(
    'Z6.0+pooncerelease+poacquirerelease+fencembonceonce',
    'x=1; y=release 1 || r0=acquire y; z=release 1 || z=2; mb; r1=x',
    { r0: 1, z: 2, r1: 0 },
    { lkmm: true, difference: ONE_MEMORY },
  ),
  ...test(
    'IRIW+poonceonces+OnceOnce',
    'x=1 || r0=x; r1=y || y=1 || r2=y; r3=x',
    { r0: 1, r1: 0, r2: 1, r3: 0 },
    { lkmm: true },
  ),
  ...test(
    'IRIW+poacquireonces+OnceOnce',
    'x=1 || r0=acquire x; r1=y || y=1 || r2=acquire y; r3=x',
    { r0: 1, r1: 0, r2: 1, r3: 0 },
    { lkmm: true, difference: ONE_MEMORY },
  ),
  ...test('IRIW+fencembonceonces+OnceOnce', 'x=1 || r0=x; mb; r1=y || y=1 || r2=y; mb; r3=x', {
    r0: 1,
    r1: 0,
    r2: 1,
    r3: 0,
  }),
  ...test('CoRR+poonceonce+Once', 'x=1 || r0=x; r1=x', { r0: 1, r1: 0 }),
  ...test('CoRW+poonceonce+Once', 'r0=x; x=1 || x=2', { r0: 2, x: 2 }),
  ...test('CoWR+poonceonce+Once', 'x=1; r0=x || x=2', { r0: 2, x: 1 }),
  ...test('CoWW+poonceonce', 'x=1; x=2', { x: 1 }),
]

/** Answers that are left out are: not allowed, and no difference. */
function test(
  name: string,
  program: string,
  asked: FinalState,
  answers: Partial<Pick<LitmusTest, 'tso' | 'lkmm' | 'difference'>> = {},
): [LitmusTest] {
  return [{ name, program, asked, tso: false, lkmm: false, difference: null, ...answers }]
}
