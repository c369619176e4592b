import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Board } from './board.ts'

describe('Board', () => {
  it('has frames counted at the looks that it was asked for, and at no others', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vring-board-'))
    try {
      const [orchestrator, device] = [new Board(join(folder, 'board')), new Board(join(folder, 'board'))]
      let frames = 0
      let counts = 0
      const count = (): number => {
        counts++
        return frames
      }
      device.look(count)
      expect([orchestrator.looks, orchestrator.frames, counts]).toEqual([1, 0, 0])
      frames = 7
      orchestrator.ask(true)
      device.look(count)
      expect([orchestrator.looks, orchestrator.frames, counts]).toEqual([2, 7, 1])
      orchestrator.ask(false)
      frames = 9
      device.look(count)
      expect([orchestrator.looks, orchestrator.frames, counts]).toEqual([3, 7, 1])
      orchestrator.finish()
      expect(device.finishing).toBe(true)
      orchestrator.close()
      orchestrator.ask(true)
      expect([orchestrator.looks, orchestrator.frames]).toEqual([0, 0])
      device.close()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
