export * from '@vring/ebpf'
