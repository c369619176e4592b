/** What runs code of plugins, in a process of its own: see `runPluginCode`. */
export { examine } from '../conformance/examine.ts'
export { command } from './command.ts'
