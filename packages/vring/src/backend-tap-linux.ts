export * from '@vring/backend-tap/linux'
