# The SIGBUS handler of @vring/linux for x86-64; src/machine-code/sigbus-code.ts has its bytes, and a test assembles this again.
#
# handler(signal, siginfo, context): looks the fault's address up in the table of guarded memory. Found: puts a private zero
# page there, counts, and returns, so that the access is made again. Otherwise: the handler that was there before, or the
# default action.
#
# table: 0 magic, 16 entries in use (32 bits), 20 faults (32 bits), 64 entries of 32 bytes: start, end, bytes of a page,
# faults (32 bits), state (32 bits).

.intel_syntax noprefix
  endbr64
  cmp dword ptr [rsi + 8], 0      # si_code: above 0 the kernel saw a fault, else a process sent the signal
  jle other
  mov r8, [rsi + 16]              # si_addr
  mov r9, [rip + table]
  mov ecx, [r9 + 16]              # entries in use
  lea rax, [r9 + 64]              # the first
search:
  sub ecx, 1
  jb other
  cmp r8, [rax]                   # start
  jb next
  cmp r8, [rax + 8]               # end
  jb found
next:
  add rax, 32
  jmp search
found:
  lock add dword ptr [rax + 24], 1
  lock add dword ptr [r9 + 20], 1
  mov rsi, [rax + 16]             # bytes of a page
  mov rdi, rsi
  neg rdi
  and rdi, r8
  mov edx, 3                      # PROT_READ | PROT_WRITE
  mov r10d, 0x4032                # MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
  mov r8, -1
  xor r9d, r9d
  mov eax, 9                      # mmap
  syscall
  mov r8d, 1
  cmp rax, -4096
  ja default
  ret
other:
  mov r8d, [rsi + 8]
  mov rax, [rip + previous]
  cmp rax, 1                      # SIG_DFL is 0, SIG_IGN 1
  ja chain
default:                          # rt_sigaction(SIGBUS, zeros, NULL, 8)
  lea rsi, [rip + zeros]
  mov edi, 7
  xor edx, edx
  mov r10d, 8
  mov eax, 13
  syscall
  test r8d, r8d
  jg done                         # a fault comes again by itself
  mov eax, 39                     # getpid
  syscall
  mov edi, eax
  mov esi, 7
  mov eax, 62                     # kill
  syscall
done:
  ret
chain:
  jmp rax
  .balign 8
table: .quad 0
previous: .quad 0
zeros: .quad 0, 0, 0, 0
