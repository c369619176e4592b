/*
 * What a C program reaches on a TAP: one loop that writes batches of 64 frames by io_uring, one system call a batch. The
 * peers `io-uring` and `io-uring-fixed` of `vring-bench run --backend tap`.
 *
 *   io-uring-tap NAME FRAME_BYTES CPU plain|fixed      CPU -1: any; fixed: from memory that is registered with the ring
 *
 * Opens the TAP in the network namespace that it is started in, prints "ready" when the interface is up, and writes until
 * it is killed; it goes with the process that started it. The frame is a UDP one, always the same. Nothing is done here that
 * vring does not do: writes that do not wait, a registered file, a virtio-net header of 12 bytes in front.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 64
#define HEADER_BYTES 12
#define SLOT_BYTES 4096
#define FRAME_BYTES_MAX 1518
#define RWF_NOWAIT_FLAG 8
/* Times that a busy TAP is asked for, 10 ms apart. */
#define ATTEMPTS 300

static void fail(const char *what)
{
	fprintf(stderr, "io-uring-tap: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = HEADER_BYTES;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		fail("/dev/net/tun");
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	/* The ring of the one before, which was killed, is torn down some time later, and keeps its TAP until then. */
	for (int attempt = 0; ioctl(fd, TUNSETIFF, &request) < 0; attempt++) {
		if (errno != EBUSY || attempt == ATTEMPTS)
			fail("TUNSETIFF");
		usleep(10 * 1000);
	}
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		fail("TUNSETVNETHDRSZ");
	return fd;
}

static void bring_up(const char *name)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		fail("SIOCGIFFLAGS");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail("SIOCSIFFLAGS");
	close(fd);
}

/* A virtio-net header that asks for nothing, Ethernet, IPv4, UDP. */
static void write_frame(uint8_t *at, unsigned frame_bytes)
{
	uint8_t *ethernet = at + HEADER_BYTES, *ip = ethernet + 14;
	unsigned ip_bytes = frame_bytes - 14;

	memset(at, 0, HEADER_BYTES + frame_bytes);
	ethernet[0] = ethernet[6] = 2;
	ethernet[12] = 8;
	ip[0] = 0x45;
	ip[2] = ip_bytes >> 8;
	ip[3] = ip_bytes;
	ip[8] = 64;
	ip[9] = 17;
}

int main(int argc, char **argv)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | (1u << 12) | (1u << 13),
	};
	struct io_uring_sqe *entries;
	unsigned *tail, *array, *cq_head, *cq_tail, cq_mask, frame_bytes;
	struct io_uring_cqe *completions;
	uint8_t *frames, *rings;
	int tap, ring, cpu, fixed;

	if (argc != 5 || (frame_bytes = atoi(argv[2])) < 42 || frame_bytes > FRAME_BYTES_MAX) {
		fprintf(stderr, "usage: io-uring-tap NAME FRAME_BYTES CPU plain|fixed\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fixed = strcmp(argv[4], "fixed") == 0;
	cpu = atoi(argv[3]);
	if (cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			fail("sched_setaffinity");
	}
	tap = open_tap(argv[1]);
	bring_up(argv[1]);

	ring = syscall(SYS_io_uring_setup, BATCH, &params);
	if (ring < 0 && errno == EINVAL) {
		/* An older kernel knows fewer flags; they are optimisations. */
		memset(&params, 0, sizeof(params));
		ring = syscall(SYS_io_uring_setup, BATCH, &params);
	}
	if (ring < 0)
		fail("io_uring_setup");
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &tap, 1) < 0)
		fail("IORING_REGISTER_FILES");
	rings = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe) + 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	entries = mmap(NULL, BATCH * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		       IORING_OFF_SQES);
	frames = mmap(NULL, BATCH * SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rings == MAP_FAILED || entries == MAP_FAILED || frames == MAP_FAILED)
		fail("mmap");
	if (fixed) {
		struct iovec all = { .iov_base = frames, .iov_len = BATCH * SLOT_BYTES };

		if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &all, 1) < 0)
			fail("IORING_REGISTER_BUFFERS");
	}
	tail = (unsigned *)(rings + params.sq_off.tail);
	array = (unsigned *)(rings + params.sq_off.array);
	cq_head = (unsigned *)(rings + params.cq_off.head);
	cq_tail = (unsigned *)(rings + params.cq_off.tail);
	cq_mask = *(unsigned *)(rings + params.cq_off.ring_mask);
	completions = (struct io_uring_cqe *)(rings + params.cq_off.cqes);

	/* Entry i always is the write of frame i: a batch moves nothing but the tail. */
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t *frame = frames + i * SLOT_BYTES + 64 * (i % 16);

		write_frame(frame, frame_bytes);
		memset(&entries[i], 0, sizeof(entries[i]));
		entries[i].opcode = fixed ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
		entries[i].flags = IOSQE_FIXED_FILE;
		entries[i].addr = (uintptr_t)frame;
		entries[i].len = HEADER_BYTES + frame_bytes;
		entries[i].rw_flags = RWF_NOWAIT_FLAG;
		array[i] = i;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		unsigned head;

		/* Entries first, then the tail: pairs with the kernel's acquire of it. */
		__atomic_store_n(tail, *tail + BATCH, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, ring, BATCH, BATCH, IORING_ENTER_GETEVENTS, NULL, 0) != BATCH)
			fail("io_uring_enter");
		head = *cq_head;
		while (head != __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE)) {
			int result = completions[head++ & cq_mask].res;

			if (result < 0) {
				errno = -result;
				fail("write");
			}
		}
		__atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
	}
}
