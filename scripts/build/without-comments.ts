import { parse } from 'acorn'
import MagicString from 'magic-string'

/** What tools and lawyers read. */
const KEPT = /^!|[#@]__PURE__|@license|@preserve|@vite-ignore|webpackIgnore/

/**
 * Takes the comments out of a module that is published: they are in its sources, which the map leads to, and in its
 * declarations.
 *
 * @param edited an edited module, or none
 */
export function withoutComments(code: string, edited: MagicString = new MagicString(code)): MagicString {
  parse(code, {
    ecmaVersion: 'latest',
    sourceType: 'module',
    onComment(_block, text, start, end) {
      // acorn takes the first line of a command for one.
      if (KEPT.test(text) || code.startsWith('#!', start)) return
      const before = code.lastIndexOf('\n', start - 1) + 1
      const alone = code.slice(before, start).trim() === '' && /^[ \t]*(\n|$)/.test(code.slice(end))
      // One that ends a line within an expression may be what a semicolon is inserted for.
      if (!alone && text.includes('\n')) return
      const lineEnd = code.indexOf('\n', end)
      if (alone) edited.remove(before, lineEnd === -1 ? code.length : lineEnd + 1)
      else edited.remove(start, end)
    },
  })
  return edited
}
