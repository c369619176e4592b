import { usageError } from '../bench-error.ts'
import { reportHtml } from '../report/report-html.ts'
import { reportMarkdown } from '../report/report-markdown.ts'
import { readResults } from '../results/read-results.ts'
import { checkApart, writeOutput } from '../terminal/output.ts'
import type { BenchCommand } from './command.ts'

/** `vring-bench report`: draws the report of kept results again. */
export const report: BenchCommand = {
  description: 'Draw the report of kept results again',
  args: {
    results: { type: 'positional', description: 'results.json of a run', required: true },
    html: { type: 'string', description: 'write the report as one HTML file; - is standard output', valueHint: 'FILE' },
    markdown: { type: 'string', description: 'write its tables as Markdown; - is standard output', valueHint: 'FILE' },
  },
  async run(args) {
    const html = args.text('html')
    const markdown = args.text('markdown')
    if (html === null && markdown === null)
      throw usageError('--html', 'missing; accepted: --html FILE or --markdown FILE')
    const kept = args.text('results')!
    if (html !== null) checkApart('--html', html, [kept], 'what is read')
    if (markdown !== null) checkApart('--markdown', markdown, [kept], 'what is read')
    if (html !== null && markdown !== null) checkApart('--markdown', markdown, [html], 'where --html goes')
    const results = readResults('RESULTS', kept)
    if (html !== null) writeOutput('--html', html, reportHtml(results))
    if (markdown !== null) writeOutput('--markdown', markdown, reportMarkdown(results))
    return 0
  },
}
