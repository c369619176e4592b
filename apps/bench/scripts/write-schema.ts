import { writeFileSync } from 'node:fs'
import { resultsJsonSchema } from '../src/results/results.ts'

/** Writes results.schema.json again after a change of src/results.ts: npx tsx apps/bench/scripts/write-schema.ts */
writeFileSync(new URL('../results.schema.json', import.meta.url), `${JSON.stringify(resultsJsonSchema(), null, 2)}\n`)
