import { Cell } from '@vring/mmu-notifier'
import { explore } from '../explore.ts'
import { ExploringPort } from '../exploring-port.ts'
import type { MemoryModel } from '../operation.ts'
import type { FinalState, Scenario } from '../scenario.ts'
import { formatLitmus, type LitmusProgram, variablesOf } from './litmus-program.ts'

/** A program as a scenario whose outcomes are its registers and the final values of its variables. */
export function litmusScenario(program: LitmusProgram): Scenario {
  return {
    name: 'litmus',
    description: formatLitmus(program),
    prepare: (world) => {
      const port = new ExploringPort(world)
      const cells = new Map(variablesOf(program).map((name) => [name, new Cell(name, 0)]))
      return {
        threads: program.map((steps, index) => ({
          name: `P${index}`,
          run: () => {
            const registers: Record<string, number> = {}
            for (const step of steps) {
              if (step.kind === 'store') {
                const cell = cells.get(step.variable)!
                if (step.release) port.storeRelease(cell, step.value)
                else port.store(cell, step.value)
              } else if (step.kind === 'load') {
                const cell = cells.get(step.variable)!
                registers[step.register] = step.acquire ? port.loadAcquire(cell) : port.load(cell)
              } else port[step.kind]()
            }
            return registers
          },
        })),
        observe: (returned) =>
          Object.fromEntries(
            [
              ...(returned as readonly FinalState[]).flatMap((registers) => Object.entries(registers)),
              ...[...cells].map(([name, cell]) => [name, port.load(cell)] as const),
            ].sort(([a], [b]) => (a < b ? -1 : 1)),
          ),
      }
    },
  }
}

/** Every final state that a memory model allows: registers and variables by name. */
export function litmusOutcomes(program: LitmusProgram, memoryModel: MemoryModel): FinalState[] {
  return explore(litmusScenario(program), { memoryModel }).outcomes.map(({ state }) => state)
}

/** Is one of the outcomes as asked? What the question does not name may be anything. */
export function hasOutcome(outcomes: readonly FinalState[], asked: FinalState): boolean {
  return outcomes.some((state) => Object.entries(asked).every(([name, value]) => state[name] === value))
}
