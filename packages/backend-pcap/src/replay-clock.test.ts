import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { ReplayClock } from './replay-clock.ts'

test('runs from the first call, and stands still between a pause and the next call', () => {
  let now = 100
  const clock = new ReplayClock(() => now)
  expect(clock.elapsed()).toBe(0)
  now += 30
  expect(clock.elapsed()).toBe(30)
  clock.pause()
  now += 1000
  clock.pause()
  expect(clock.elapsed()).toBe(30)
  now += 5
  expect(clock.elapsed()).toBe(35)
})

test('clocks over the same cells are one: whichever asks first starts it, whichever pauses first stops it', () => {
  let now = 0
  const one = new ReplayClock(() => now)
  const other = new ReplayClock(() => now, one.cells)
  now = 10
  expect([other.elapsed(), one.elapsed()]).toEqual([0, 0])
  now = 30
  expect([one.elapsed(), other.elapsed()]).toEqual([20, 20])
  one.pause()
  other.pause()
  now = 90
  expect([other.elapsed(), one.elapsed()]).toEqual([20, 20])
})

test('its default time is the same in every thread, which begin at other times', async () => {
  const clock = new ReplayClock()
  clock.elapsed()
  const before = clock.elapsed()
  const tsx = import.meta.resolve('tsx/esm/api')
  const module = new URL('./replay-clock.ts', import.meta.url).href
  const script = `const { parentPort, workerData } = require('node:worker_threads')
    import('${tsx}')
      .then(({ register }) => { register(); return import('${module}') })
      .then(({ ReplayClock }) => parentPort.postMessage(new ReplayClock(undefined, workerData).elapsed()))`
  const worker = new Worker(script, { eval: true, workerData: clock.cells })
  const [there] = (await once(worker, 'message')) as [number]
  const after = clock.elapsed()
  expect(there).toBeGreaterThanOrEqual(before)
  expect(there).toBeLessThanOrEqual(after)
  await worker.terminate()
})
