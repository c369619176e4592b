/** A command that runs code of plugins in its own thread. */
export interface CommandRequest {
  /** Its name and arguments as they were given. */
  readonly rawArgs: readonly string[]
  /** Of the standard output that it writes to: a thread does not know. */
  readonly terminal: { readonly isTTY: boolean; readonly columns: number | undefined }
}

/** How it ended. */
export interface CommandEnd {
  readonly code: number
  /** For standard error. */
  readonly said: string
}

/** Runs the command in this thread. */
export async function command({ rawArgs, terminal }: CommandRequest): Promise<CommandEnd> {
  Object.assign(process.stdout, terminal)
  // Loaded here: what is printed depends on the terminal.
  const { runCommand } = await import('../main.ts')
  let said = ''
  const code = await runCommand(rawArgs, (text) => {
    said += text
  })
  return { code, said }
}
