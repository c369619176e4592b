import { PAGE_BYTES } from '../../page-size.ts'
import type { Mm } from '../mm.ts'

/**
 * The OOM reaper takes a dying process's private memory. It must not wait for any process, so its invalidations are not
 * blockable, and a mapping whose listener would wait is left alone. Source: Linux `__oom_reap_task_mm`.
 *
 * @returns true when nothing was left alone
 */
export function oomReap(mm: Mm): boolean {
  let complete = true
  for (const vma of mm.vmas.all) {
    if (!vma.private) continue
    const zap = (): void => mm.zapRange(vma.start / PAGE_BYTES, vma.end / PAGE_BYTES)
    if (!mm.invalidate(vma.start, vma.end, 'unmap', zap, false)) complete = false
    mm.freeGathered()
  }
  return complete
}
