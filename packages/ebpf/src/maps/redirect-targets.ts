/** A map that an XDP_REDIRECT names its target by. */
export interface RedirectTargets {
  readonly kind: 'devmap' | 'devmap-hash' | 'xskmap' | 'cpumap'
  readonly name: string
  /** @returns the target under a key: an interface, the number of a socket or CPU; or -1 */
  target(key: number): number
}
