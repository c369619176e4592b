import { describe, expect, test } from 'vitest'
import { apiReport, keptReport, reportedPackages } from '../scripts/api-report.ts'

describe('what packages export', () => {
  test.each(reportedPackages().map((one) => ({ name: one.manifest.name, one })))(
    '$name: is what its report says; after a wanted change run npm run api',
    ({ one }) => {
      expect(apiReport(one)).toBe(keptReport(one))
    },
  )

  test('is shown without comments and private members', () => {
    for (const one of reportedPackages()) expect(keptReport(one)).not.toMatch(/\/\*\*|^\s*private /m)
  })
})
