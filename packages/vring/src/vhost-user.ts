export * from '@vring/vhost-user'
