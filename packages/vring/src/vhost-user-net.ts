export * from '@vring/vhost-user-net'
