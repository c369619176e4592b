// Sums up runs: `node summary.mjs NAME:EXIT-CODE[:RESULTS:LOG]...`. RESULTS is a file of vitest's JSON results, LOG
// what it printed; without them, a command that counts as one test. Prints what failed and, as its last line,
// `N passed, N failed, N skipped`; exits with 1 when anything failed. A run that failed though no test of it did shows
// the errors that it printed. A run that ended without a result file, and a test file that could not be loaded, count
// as one failure each. In the run named `interop` a skipped test counts as failed: the peers are installed, so nothing
// may be skipped.
import { readFileSync } from 'node:fs'

const total = { passed: 0, failed: 0, skipped: 0 }

function fail(message) {
  total.failed++
  console.log(`ci: failed: ${message}`)
}

/** The most lines of a log that are shown. */
const SHOWN_LINES = 120

/** What vitest printed of errors outside any test; without them the end of its log. */
function errorsIn(file) {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const first = lines.findIndex((line) => /Unhandled (Error|Rejection)/i.test(line))
  return (first === -1 ? lines.slice(-SHOWN_LINES / 4) : lines.slice(first, first + SHOWN_LINES)).join('\n')
}

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults
  } catch {
    return null
  }
}

for (const argument of process.argv.slice(2)) {
  const [name, exitCode, file, log] = argument.split(':')
  if (file === undefined) {
    if (exitCode === '0') total.passed++
    else fail(`${name}: ended with code ${exitCode}`)
    continue
  }
  const suites = readResults(file)
  if (suites === null) {
    fail(`${name}: ended with code ${exitCode} before its tests could report; it printed:`)
    console.log(errorsIn(log))
    continue
  }
  const failedBefore = total.failed
  for (const suite of suites) {
    if (suite.status === 'failed' && !suite.assertionResults.some(({ status }) => status === 'failed'))
      fail(`${name}: ${suite.name}: ${suite.message ?? 'could not be loaded'}`)
    for (const { status, fullName } of suite.assertionResults) {
      if (status === 'passed') total.passed++
      else if (status === 'failed') fail(`${name}: ${fullName}`)
      else if (name === 'interop') fail(`${name}: skipped, which is a failure here: ${fullName}`)
      else total.skipped++
    }
  }
  // An unhandled error outside any test, or a time limit: vitest's verdict stands even if every test passed.
  if (exitCode !== '0' && total.failed === failedBefore) {
    fail(`${name}: ended with code ${exitCode}, each of its tests passed; it printed:`)
    console.log(errorsIn(log))
  }
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 ? 0 : 1
