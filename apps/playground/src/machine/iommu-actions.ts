import type { DeviceIotlb } from '@vring/iotlb'
import { ACCESS_READ, ACCESS_WRITE, PAGE_BYTES } from '@vring/memory'
import type { ConcurrentAction } from './action.ts'
import { GUEST_BASE, GUEST_PAGES, USER_BASE } from './layout.ts'
import type { Happening } from './moment.ts'

/** What the driver's IOMMU is asked to do. */
export type IommuAction = Extract<ConcurrentAction, { kind: 'answer-misses' | 'translate-all' | 'iotlb-invalidate' }>

const BOTH = ACCESS_READ | ACCESS_WRITE

/** What the guest's IOMMU tells the device, told as it does it. IOVAs are guest addresses here. */
export function performIommuAction({ kind }: IommuAction, iotlb: DeviceIotlb | null): Happening {
  if (iotlb === null) return { actor: 'driver', title: 'there is no device IOTLB', fault: true }
  const bytes = GUEST_PAGES * PAGE_BYTES
  switch (kind) {
    case 'translate-all':
      iotlb.update(GUEST_BASE, bytes, USER_BASE, BOTH)
      return { actor: 'driver', title: 'the IOMMU translates the whole guest', detail: 'one VHOST_IOTLB_UPDATE' }
    case 'iotlb-invalidate':
      iotlb.invalidate(GUEST_BASE, bytes)
      return { actor: 'driver', title: 'the IOMMU takes all translations back', detail: 'VHOST_IOTLB_INVALIDATE' }
    case 'answer-misses':
      return answerMisses(iotlb)
  }
}

/** One page for each question, so that misses can be watched one by one. */
function answerMisses(iotlb: DeviceIotlb): Happening {
  const misses = iotlb.takeMisses()
  if (misses.length === 0) return { actor: 'driver', title: 'no translation is asked for', fault: true }
  for (const { iova } of misses) {
    const page = iova - (iova % PAGE_BYTES)
    iotlb.update(page, PAGE_BYTES, page - GUEST_BASE + USER_BASE, BOTH)
  }
  const list = misses.map(({ iova }) => `0x${iova.toString(16)}`).join(', ')
  return { actor: 'driver', title: `the IOMMU answers: ${list}`, detail: 'VHOST_IOTLB_UPDATE, a page each' }
}
