import {
  ACCESSOR_API_VERSION,
  AccessCounters,
  type Accessor,
  type AccessorContext,
  type AccessorPlugin,
  CopyWindow,
  checkRingBelowLimit,
  defineAccessor,
  type RoundStatus,
  refuseIotlb,
  UncheckedUser2019,
} from '@vring/accessor'
import { AREAS, type RingArea } from '@vring/layout'
import { TemplateWindow } from './template-window.ts'

const NAME = 'template'

/** Say here what your accessor does, and where the idea comes from. */
export const template: AccessorPlugin = defineAccessor({
  name: NAME,
  apiVersion: ACCESSOR_API_VERSION,
  description: 'user access, one copy at a time',
  // What you claim here is tested, and what you deny is tested in reverse.
  supports: {
    fileBacked: true,
    iotlb: false,
    noIotlb: true,
    needsMmuNotifier: false,
    needsPrefetch: false,
    speculationSafe: true,
    fallsBack: false,
  },
  create: (context) => new TemplateAccessor(context),
})

class TemplateAccessor implements Accessor {
  readonly name: string = NAME
  readonly desc: TemplateWindow
  readonly driver: TemplateWindow
  readonly device: TemplateWindow
  /** Where each access needs a step of its own; a RingLease where your areas can be reached directly for a batch. */
  readonly lease: null = null
  readonly counters: AccessCounters = new AccessCounters()

  /** @throws VringError ERR_UNSUPPORTED with a device IOTLB; ERR_OUT_OF_RANGE for an area above the space's limit */
  constructor(context: AccessorContext) {
    const { cpu, space, ring } = context
    refuseIotlb(NAME, context)
    checkRingBelowLimit(context)
    const user = new UncheckedUser2019(cpu, space)
    const window = (area: RingArea): TemplateWindow => new TemplateWindow(new CopyWindow(user, area))
    this.desc = window(ring.desc)
    this.driver = window(ring.driver)
    this.device = window(ring.device)
  }

  beginRound(): RoundStatus {
    return 'ready'
  }

  endRound(): void {
    for (const area of AREAS) this.counters.add(area, 'copy', this[area].takeCopies())
  }

  close(): void {
    this.endRound()
  }
}
