import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { expectInC, noHeaders, titled } from '../test/c-headers.ts'

const HEADERS = [
  'stddef.h',
  'sys/socket.h',
  'sched.h',
  'linux/if.h',
  'linux/if_tun.h',
  'linux/if_link.h',
  'linux/rtnetlink.h',
  'linux/netlink.h',
  'linux/bpf.h',
  'linux/if_xdp.h',
  'linux/io_uring.h',
  'linux/fs.h',
]
const FILES = [
  'io/io-uring',
  'network/link',
  'network/netlink',
  'network/netns',
  'network/tun',
  'bpf/xdp-program',
  'af-xdp/xdp-socket',
  'bpf/bpf',
]

/** Names in these files that are the package's own, and constants younger than headers in use. */
const NOT_IN_C =
  /^(SQE_|CQE_|PARAMS|SETUP_FLAGS|IORING_OFF_RINGS|NLA_HEADER_BYTES|NLA_TYPE_MASK|NLMSGERR_BYTES|REPLY_BYTES|LOG_BYTES|TEST_RUN_GROWTH|FUNCTION_INFO_BYTES|INSTRUCTION_BYTES|MMAP_OFFSETS_BYTES|XDP_PACKET_HEADROOM|XDP_MAX_TX_SKB_BUDGET|XDP_USE_SG|XDP_PKT_CONTD|XDP_DESC_BYTES|XDP_ADDRESS_BYTES|PAGE_BYTES|TX_BUDGET|TUN_F_USO|E[A-Z]+$)/

/** `const NAME = number` of a source file: module-private constants are held to the headers like exported ones. */
function constantsOf(file: string): [string, number][] {
  const text = readFileSync(join(import.meta.dirname, `${file}.ts`), 'utf8')
  return [...text.matchAll(/^(?:export )?const ([A-Z]\w+) = (0x[\da-f_]+|[\d_]+|\d+ << \d+)$/gm)]
    .map(([, name, value]): [string, number] => {
      const [base, shift] = value!.replaceAll('_', '').split(' << ')
      return [name!, Number(base) * 2 ** Number(shift ?? 0)]
    })
    .filter(([name]) => !NOT_IN_C.test(name))
}

/** Sizes and offsets that these files use, in bytes. */
const LAYOUT: Readonly<Record<string, number>> = {
  'sizeof(struct nlmsghdr)': 16,
  'offsetof(struct nlmsghdr, nlmsg_flags)': 6,
  'sizeof(struct nlmsgerr)': 20,
  'sizeof(struct ifinfomsg)': 16,
  'offsetof(struct ifinfomsg, ifi_index)': 4,
  'offsetof(struct ifinfomsg, ifi_flags)': 8,
  'offsetof(struct ifinfomsg, ifi_change)': 12,
  'sizeof(struct ifreq)': 40,
  'offsetof(struct ifreq, ifr_flags)': 16,
  'offsetof(struct rtnl_link_stats64, tx_bytes)': 24,
  'offsetof(struct rtnl_link_stats64, tx_dropped)': 56,
  'sizeof(struct io_uring_params)': 120,
  'offsetof(struct io_uring_params, features)': 20,
  'offsetof(struct io_uring_params, sq_off)': 40,
  'offsetof(struct io_uring_params, cq_off)': 80,
  'offsetof(struct io_sqring_offsets, array)': 24,
  'offsetof(struct io_cqring_offsets, cqes)': 20,
  'sizeof(struct io_uring_sqe)': 64,
  'offsetof(struct io_uring_sqe, addr)': 16,
  'offsetof(struct io_uring_sqe, len)': 24,
  'offsetof(struct io_uring_sqe, rw_flags)': 28,
  'offsetof(struct io_uring_cqe, res)': 8,
  'sizeof(struct sockaddr_xdp)': 16,
  'offsetof(struct sockaddr_xdp, sxdp_ifindex)': 4,
  'offsetof(struct sockaddr_xdp, sxdp_queue_id)': 8,
  'sizeof(struct xdp_desc)': 16,
  'sizeof(((struct xdp_desc *)0)->addr)': 8,
  'sizeof(struct xdp_mmap_offsets)': 128,
  'offsetof(struct xdp_mmap_offsets, cr)': 96,
  'offsetof(struct xdp_ring_offset, flags)': 24,
  'sizeof(struct xdp_statistics)': 48,
  'offsetof(union bpf_attr, license)': 16,
  'offsetof(union bpf_attr, log_buf)': 32,
  'offsetof(union bpf_attr, prog_name)': 48,
  'offsetof(union bpf_attr, expected_attach_type)': 68,
  'offsetof(union bpf_attr, map_name)': 28,
  'offsetof(union bpf_attr, value)': 16,
  'offsetof(union bpf_attr, link_create.attach_type)': 8,
  'offsetof(struct bpf_prog_info, id)': 4,
  'offsetof(struct xdp_md, rx_queue_index)': 16,
}

describe.skipIf(noHeaders !== null)(titled('network devices against this host’s C headers'), () => {
  test('constants have the values of the headers', () => {
    const constants = FILES.flatMap(constantsOf)
    expect(constants.length).toBeGreaterThan(70)
    expectInC(HEADERS, constants)
  })

  test('structures have the sizes and offsets of the headers', () => {
    expectInC(HEADERS, Object.entries(LAYOUT))
  })
})
