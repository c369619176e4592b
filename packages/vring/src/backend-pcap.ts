export * from '@vring/backend-pcap'
