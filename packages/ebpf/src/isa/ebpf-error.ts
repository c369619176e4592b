import { VringError, type VringErrorCode } from '@vring/layout'

/** A program that can't be loaded or is refused: names the instruction and the reason. Its code is stable. */
export class EbpfError extends VringError {
  override readonly name: string = 'EbpfError'
  /** Slot of the offending instruction, counted as llvm-objdump and the kernel's verifier count; -1: none in particular. */
  readonly instruction: number
  /** What is wrong, without the place. */
  readonly reason: string

  constructor(instruction: number, text: string, reason: string, code: VringErrorCode = 'ERR_INVALID_ARGUMENT') {
    const place = instruction < 0 ? '' : `instruction ${instruction}${text === '' ? '' : ` (${text})`}: `
    super(code, `${place}${reason}`, { field: instruction < 0 ? 'program' : `instruction ${instruction}` })
    this.instruction = instruction
    this.reason = reason
  }
}
