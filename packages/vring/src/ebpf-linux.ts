export * from '@vring/ebpf/linux'
