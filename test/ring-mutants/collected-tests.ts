/** The part of vitest that the tests of `virtqueue` use, for running one of them by its title. */
type Body = (...values: unknown[]) => void
type Register = (title: string, body: Body) => void
interface Registrar extends Register {
  each(rows: readonly unknown[]): Register
}

/** Tests by full title, as vitest prints it: describes and title, joined by ` > `. */
export class CollectedTests {
  readonly tests: Map<string, () => void> = new Map()
  readonly #path: string[] = []

  /** What stands for the module `vitest` while test files are loaded. */
  module(expect: unknown): object {
    const describe = registrar((title, body) => {
      this.#path.push(title)
      body()
      this.#path.pop()
    })
    const it = registrar((title, body) => this.tests.set([...this.#path, title].join(' > '), () => body()))
    return { describe, it, expect }
  }
}

function registrar(register: Register): Registrar {
  const each =
    (rows: readonly unknown[]): Register =>
    (title, body) => {
      for (const row of rows) {
        const values = Array.isArray(row) ? row : [row]
        let at = 0
        const shown = title.replaceAll(/%[si]/g, () => String(values[at++]))
        register(shown, () => body(...values))
      }
    }
  return Object.assign(register, { each })
}
