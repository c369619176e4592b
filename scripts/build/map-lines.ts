import { readFileSync, writeFileSync } from 'node:fs'
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec'
import type { Options } from 'tsup'

type TsupPlugin = NonNullable<Options['plugins']>[number]

/** Writes each source map again by {@link mapLines}: a third of its bytes. */
export function leanMaps(): TsupPlugin {
  return {
    name: 'lean-maps',
    buildEnd({ writtenFiles }) {
      for (const { name } of writtenFiles) {
        if (!name.endsWith('.map')) continue
        const { sourcesContent: _, ...map } = JSON.parse(readFileSync(name, 'utf8'))
        writeFileSync(name, JSON.stringify({ ...map, names: [], mappings: mapLines(map.mappings) }))
      }
    },
  }
}

/** Mappings that tell lines of the sources, and no columns within them: what a stack trace and a breakpoint need. */
export function mapLines(mappings: string): string {
  const lines = decode(mappings).map((segments) => {
    const kept: SourceMapSegment[] = []
    for (const segment of segments) {
      const last = kept.at(-1)
      if (segment.length > 1 && last !== undefined && last[1] === segment[1] && last[2] === segment[2]) continue
      kept.push(segment.length === 5 ? [segment[0], segment[1], segment[2], segment[3]] : segment)
    }
    return kept
  })
  return encode(lines)
}
