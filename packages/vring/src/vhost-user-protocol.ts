export * from '@vring/vhost-user/protocol'
