import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadEbpf, readObject, XDP_PASS, XdpContext } from './index.ts'

const object = (cpu: string): Uint8Array => readFileSync(join(import.meta.dirname, `../fixtures/globals.${cpu}.o`))
const CPUS = ['v2', 'v3'] as const
const programs = readObject(object('v3')).programs
const namesOf = (section: string): string[] => programs.filter((one) => one.section === section).map(({ name }) => name)

/** What a program answers for a frame of the bytes 0 to 19 in queue 1. */
const VERDICTS: Readonly<Record<string, number>> = {
  ok_numbers: 3,
  ok_stack: 3,
  ok_null: 1,
  ok_value_or_null: 2,
  ok_value_nonnull: 1,
  ok_packet: 1,
  ok_context: 0,
  ok_context_tag: 3,
  ok_packet_alone: 0,
  ok_trim: 0,
  ok_bounded: 2,
  ok_static: 2,
  ok_hidden: 2,
  ok_array: 2,
  ok_byte: 3,
  ok_nested: 1,
  ok_deep: 3,
  ok_dead_call: XDP_PASS,
}

const REASONS: Readonly<Record<string, RegExp>> = {
  bad_known_number: /not bounded to 2\^29/,
  bad_no_null_check: /memory or null, not checked yet/,
  bad_short_packet: /packet access at offset 0, 8 bytes, .* 7 bytes are/,
  bad_maybe_null: /takes 8 bytes of memory in r1, which is a map value or null, .* may not be null/,
  bad_number_for_memory: /takes 8 bytes of memory in r1, which is a number/,
  bad_memory_for_number: /takes a number in r1, which is the context/,
  bad_memory_for_context: /takes the context in r1, which is a stack pointer/,
  bad_result_is_unknown: /not bounded to 2\^29/,
  bad_packet_moved: /r7 is a packet pointer from before the packet moved/,
  bad_opaque: /void \*: the size of what it points to is not known/,
  bad_unknown: /unknown \*: the size of what it points to is not known/,
  bad_tagged_number: /u32 has the tag arg:nonnull, but is no pointer/,
  bad_tagged_other: /the tag arg:trusted is not there; accepted: arg:ctx, arg:nonnull/,
  bad_tagged_not_context: /struct pair \* is no pointer to the context/,
  bad_returns_pointer: /does not return a number/,
  bad_past_array: /access to memory at offset 6 to 131076, 2 bytes; it has 8/,
  bad_circle: /a global function calls itself/,
  bad_deep: /nested more than 8 deep/,
  bad_read_only: /values of map \.rodata are read-only/,
  bad_callback: /helpers call static functions only, this one is global/,
  bad_spilled: /not bounded to 2\^29/,
  strict_null: /may not be null/,
}

function contextOf(): XdpContext {
  const context = new XdpContext()
  context.setFrame(
    Uint8Array.from({ length: 20 }, (_, i) => i),
    0,
    20,
  )
  context.rxQueueIndex = 1
  return context
}

describe('global functions', () => {
  test('each program of the object has an expectation', () => {
    expect(Object.keys(VERDICTS).sort()).toEqual(namesOf('xdp/ok').sort())
    expect(Object.keys(REASONS).sort()).toEqual([...namesOf('xdp/bad'), ...namesOf('xdp/strict')].sort())
  })

  test.each(Object.entries(VERDICTS))('%s is verified by the declaration, and answers %i', async (program, verdict) => {
    for (const cpu of CPUS)
      for (const engine of ['compile', 'interpret'] as const) {
        const loaded = await loadEbpf(object(cpu), { program, engine })
        expect(loaded.run(contextOf()), `${cpu}, ${engine}`).toBe(verdict)
      }
  })

  test.each(Object.entries(REASONS))('%s is refused', async (program, reason) => {
    for (const cpu of CPUS) await expect(loadEbpf(object(cpu), { program })).rejects.toThrow(reason)
  })

  test('a function that writes to the frame it is given is known to', async () => {
    expect((await loadEbpf(object('v3'), { program: 'ok_packet' })).readOnly).toBe(false)
    expect((await loadEbpf(object('v3'), { program: 'ok_stack' })).readOnly).toBe(true)
  })

  test('one that is called often is followed once', async () => {
    const { verifiedInstructions } = await loadEbpf(object('v3'), { program: 'ok_deep' })
    expect(verifiedInstructions).toBeLessThan(60)
  })
})
