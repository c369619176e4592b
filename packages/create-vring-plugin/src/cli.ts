#!/usr/bin/env node
import { createPlugin, PLUGIN_KINDS, type PluginKind } from './create-plugin.ts'

const USAGE = `create-vring-plugin KIND NAME [FOLDER]

Makes the project of a vring plugin, in vring-KIND-NAME unless FOLDER is given.

  KIND    ${PLUGIN_KINDS.join(' or ')}
  NAME    lower-case words joined by -, such as my-way
`

const [kind = '', name = '', folder] = process.argv.slice(2)
try {
  if (kind === '--help' || kind === '-h') console.log(USAGE)
  else make()
} catch (error) {
  console.error(`create-vring-plugin: ${(error as Error).message}`)
  process.exitCode = 2
}

function make(): void {
  if (!(PLUGIN_KINDS as readonly string[]).includes(kind))
    throw new Error(
      `KIND is ${JSON.stringify(kind)}; accepted: ${PLUGIN_KINDS.join(', ')}. Usage: create-vring-plugin KIND NAME [FOLDER]`,
    )
  const made = createPlugin(kind as PluginKind, name, folder)
  console.log(`made ${made}; next: cd ${made} && npm install && npm test`)
}
