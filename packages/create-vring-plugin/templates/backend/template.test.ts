import { netConformance } from '@vring/net-conformance'
import { describe, it } from 'vitest'
import { template } from './template.ts'

// `sent` and `arrive` let the kit look at frames that leave and come in: see NetSubject.
netConformance({ plugin: template, create: () => template.create() }, { describe, it })
