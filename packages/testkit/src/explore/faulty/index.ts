// Each class is shipped code with one historical mistake put back, and as little else changed as it takes.
export * from './faulty-accessors.ts'
export * from './faulty-counts.ts'
export * from './faulty-ranges.ts'
export * from './faulty-registrations.ts'
export * from './faulty-teardowns.ts'
export * from './faulty-waits.ts'
