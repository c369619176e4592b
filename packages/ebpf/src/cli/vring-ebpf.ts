#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { main } from './main.ts'

process.exitCode = await main(process.argv.slice(2), {
  stdin: () => readFileSync(0, 'utf8'),
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
})
