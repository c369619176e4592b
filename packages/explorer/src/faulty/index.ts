// Each class is shipped code with one mistake put back, of the history or of its kind, and as little else changed as it
// takes.
export * from './faulty-accessors.ts'
export * from './faulty-counts.ts'
export * from './faulty-queues.ts'
export * from './faulty-ranges.ts'
export * from './faulty-registrations.ts'
export * from './faulty-spaces.ts'
export * from './faulty-teardowns.ts'
export * from './faulty-waits.ts'
