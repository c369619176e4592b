#!/usr/bin/env -S node --max-inlined-bytecode-size=300 --max-inlined-bytecode-size-cumulative=5000 --max-inlined-bytecode-size-absolute=10000
import { main } from './main.ts'

// The budgets of V8's inliner above are those of docs/adr/0020: a whole round becomes one function. They are set where the
// process begins: lowered later they end it (`Check failed: inlineability`) if V8 is just optimising on another thread.

process.exitCode = await main(process.argv.slice(2))
