/** Numbers of prctl(2) by Node's names of architectures. */
const SYS_PRCTL: Readonly<Record<string, number>> = { x64: 157, arm64: 167, riscv64: 167 }

/**
 * A command that runs another one whose io_uring_setup(2) fails with EPERM, as container runtimes have it: a seccomp filter,
 * set by the perl that every Debian has. Root's, as it keeps the right to gain privileges.
 */
export const withoutIoUring: readonly string[] = [
  'perl',
  '-e',
  `
    my $filter = pack('SCCL' x 4,
      0x20, 0, 0, 0,           # load the number of the system call
      0x15, 0, 1, 425,         # io_uring_setup?
      0x06, 0, 0, 0x00050001,  # SECCOMP_RET_ERRNO, EPERM
      0x06, 0, 0, 0x7fff0000); # SECCOMP_RET_ALLOW
    my $program = pack('S x6 P', 4, $filter);
    my ($mode, $pointer) = (2, $program); # SECCOMP_MODE_FILTER
    syscall(${SYS_PRCTL[process.arch]}, 22, $mode, $pointer, 0, 0) == 0 or die "prctl: $!"; # PR_SET_SECCOMP
    exec @ARGV;
  `,
]
