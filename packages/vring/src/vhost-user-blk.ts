export * from '@vring/vhost-user-blk'
