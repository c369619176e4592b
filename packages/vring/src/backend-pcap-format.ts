export * from '@vring/backend-pcap/format'
