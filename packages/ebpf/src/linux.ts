/**
 * eBPF objects in the Linux kernel. Needs CAP_BPF; programs in process are `@vring/ebpf`.
 *
 * @packageDocumentation
 */
export * from './linux/kernel-xdp-object.ts'
