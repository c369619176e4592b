/** Escape sequences that colours are made of: they take no width. */
// biome-ignore lint/complexity/useRegexLiterals: an escape character in a literal is refused
const ANSI = new RegExp('\\u001b\\[[0-9;]*m', 'g')

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  return [...text.replace(ANSI, '')].length
}
