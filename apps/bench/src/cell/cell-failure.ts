/** Why a cell has no result: its process died, hung, or said so. */
export class CellFailure extends Error {
  override readonly name = 'CellFailure'
}

/** The answer is not waited for any more: Ctrl-C. */
export class CellInterrupted extends Error {
  override readonly name = 'CellInterrupted'
}
