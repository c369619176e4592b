import { RESULTS_SCHEMA, type Results, resultsSchema } from './results.ts'

/**
 * Results from JSON text of unknown origin.
 *
 * @param origin file name for messages
 * @throws Error in one line that names the file and the first field that is wrong
 */
export function parseResults(text: string, origin: string): Results {
  let value: unknown
  try {
    // A byte order mark is what some editors put in front.
    value = JSON.parse(text.replace(/^\ufeff/, ''), (_, item: unknown) =>
      typeof item === 'string' ? harmless(item) : item,
    )
  } catch {
    throw new Error(`${origin}: not JSON`)
  }
  const schema = (value as { schema?: unknown } | null)?.schema
  if (schema !== RESULTS_SCHEMA)
    throw new Error(`${origin}: schema is ${JSON.stringify(schema) ?? 'missing'}; accepted: "${RESULTS_SCHEMA}"`)
  const parsed = resultsSchema.safeParse(value)
  if (parsed.success) {
    const seen = new Set<string>()
    for (const [index, { id }] of parsed.data.cells.entries()) {
      if (seen.has(id)) throw new Error(`${origin}: cells.${index}: ${id} is there twice`)
      seen.add(id)
    }
    return parsed.data
  }
  const issue = parsed.error.issues[0]!
  throw new Error(`${origin}: ${issue.path.join('.') || 'the document'}: ${issue.message}`)
}

/** Without control characters, which would steer the terminal that names and reasons of a foreign file are printed on. */
function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '\ufffd')
}
