export * from '@vring/vhost-net'
