export * from '@vring/backend-tap'
