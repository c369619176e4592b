import { VringError } from '@vring/layout'

/** One step of a litmus thread. Variables begin as 0; registers belong to the whole test. */
export type LitmusStep =
  /** WRITE_ONCE, or smp_store_release. */
  | { readonly kind: 'store'; readonly variable: string; readonly value: number; readonly release: boolean }
  /** READ_ONCE, or smp_load_acquire. */
  | { readonly kind: 'load'; readonly variable: string; readonly register: string; readonly acquire: boolean }
  /** smp_mb, smp_rmb, smp_wmb. */
  | { readonly kind: 'mb' | 'rmb' | 'wmb' }

/** The steps of each thread. */
export type LitmusProgram = readonly (readonly LitmusStep[])[]

/**
 * Reads a program: threads are divided by `||`, steps by `;`. A step is `x=1`, `x=release 1`, `r0=x`, `r0=acquire x`, `mb`,
 * `rmb` or `wmb`; `r` and a number is a register, another word a variable.
 *
 * @throws VringError ERR_INVALID_ARGUMENT for anything else
 */
export function parseLitmus(text: string): LitmusProgram {
  return text.split('||').map((thread) => thread.split(';').map((step) => parseStep(step.trim())))
}

/** The program as {@link parseLitmus} reads it. */
export function formatLitmus(program: LitmusProgram): string {
  return program.map((thread) => thread.map(formatStep).join('; ')).join(' || ')
}

/** Its variables, in order of appearance. */
export function variablesOf(program: LitmusProgram): string[] {
  return [...new Set(program.flat().flatMap((step) => ('variable' in step ? [step.variable] : [])))]
}

function parseStep(text: string): LitmusStep {
  if (text === 'mb' || text === 'rmb' || text === 'wmb') return { kind: text }
  const [, target, order, source] = /^([a-z]\w*)=(?:(release|acquire) )?(\w+)$/.exec(text) ?? []
  const register = target !== undefined && /^r\d+$/.test(target)
  if (target !== undefined && source !== undefined) {
    if (register && order !== 'release' && /^[a-z]/.test(source))
      return { kind: 'load', variable: source, register: target, acquire: order === 'acquire' }
    if (!register && order !== 'acquire' && /^\d+$/.test(source))
      return { kind: 'store', variable: target, value: Number(source), release: order === 'release' }
  }
  throw new VringError('ERR_INVALID_ARGUMENT', `${JSON.stringify(text)} is no step of a litmus test`, {
    field: 'step',
    value: text,
    accepted: 'x=1, x=release 1, r0=x, r0=acquire x, mb, rmb, wmb',
  })
}

function formatStep(step: LitmusStep): string {
  if (step.kind === 'store') return `${step.variable}=${step.release ? 'release ' : ''}${step.value}`
  if (step.kind === 'load') return `${step.register}=${step.acquire ? 'acquire ' : ''}${step.variable}`
  return step.kind
}
