// A process that answers what it is told to.
import { spawn } from 'node:child_process'

const ANSWERS = {
  echo: (request) => process.send(request),
  silence: () => {},
  exit: () => {
    process.stderr.write('Error: no more memory\nat once\n')
    process.exit(7)
  },
  // A child with the same pipes lives on.
  orphan: () => {
    spawn('sleep', ['3'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true }).unref()
    process.exit(8)
  },
}

process.on('message', (request) => ANSWERS[request.do](request))
process.on('disconnect', () => {
  setTimeout(() => process.exit(9), 10)
})
