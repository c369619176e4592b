/**
 * V8 flags of a process that runs the datapath, those of `vring-serve` too. The datapath is a dozen small methods of
 * five classes, called from one loop: with the default budgets V8 stops inlining half-way. Past the absolute size it
 * inlines nothing more, however small: it has to lie above the cumulative one, or loads of a ring become calls.
 */
export const V8_FLAGS: readonly string[] = [
  '--max-inlined-bytecode-size=300',
  '--max-inlined-bytecode-size-cumulative=5000',
  '--max-inlined-bytecode-size-absolute=10000',
]

/**
 * Those of an in-process cell, where what V8 makes of the code is what is measured. The whole round becomes one
 * function. Compiling waits for no other thread, so that every process of a cell compiles the same code. In the
 * background, what is inlined into what would depend on which compilation ends first: one process in three was a tenth
 * quicker. With a real driver cache lines count and not calls: neither flag gains anything there.
 */
export const CELL_FLAGS: readonly string[] = [
  ...V8_FLAGS,
  '--max-inlined-bytecode-size-small=200',
  '--no-concurrent-recompilation',
]
