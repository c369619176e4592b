import { displayWidth } from './display-width.ts'

/**
 * A line in pieces of at most `width` columns, broken between words. A word that is longer than a line, such as the id of a
 * cell, is broken after one of its `/`, `:`, `,` or `|`, else anywhere.
 */
export function wrapLine(line: string, width: number): string[] {
  if (displayWidth(line) <= width) return [line]
  const pieces: string[] = []
  let piece = ''
  const add = (part: string, gap: string): void => {
    if (piece !== '' && displayWidth(piece + gap + part) <= width) piece += gap + part
    else {
      if (piece !== '') pieces.push(piece)
      piece = part
    }
  }
  for (const word of line.split(' ')) {
    if (word === '') continue
    if (displayWidth(word) <= width) add(word, ' ')
    else for (const [index, part] of partsOf(word, width).entries()) add(part, index === 0 ? ' ' : '')
  }
  if (piece !== '') pieces.push(piece)
  return pieces
}

/** {@link wrapLine} of each line; what is broken off is indented as its line. */
export function wrapText(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const indent = /^ */.exec(line)![0].slice(0, width / 2)
      return displayWidth(line) <= width
        ? [line]
        : wrapLine(line.trimStart(), width - indent.length).map((piece) => indent + piece)
    })
    .join('\n')
}

function partsOf(word: string, width: number): string[] {
  return word.split(/(?<=[/:,|])/).flatMap((part) => {
    const characters = [...part]
    // One with colours is left whole: a cut could be in an escape sequence.
    if (characters.length <= width || displayWidth(part) !== characters.length) return [part]
    return Array.from({ length: Math.ceil(characters.length / width) }, (_, index) =>
      characters.slice(index * width, (index + 1) * width).join(''),
    )
  })
}
