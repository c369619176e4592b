/** A peer's program. */
export interface PeerProgram {
  readonly binary: string
  /** Empty: it says itself. */
  readonly version: string
}
