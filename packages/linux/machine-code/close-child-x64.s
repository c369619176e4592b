// Closes a descriptor in a child process that shares memory and descriptors with this one, for x64; src/machine-code/close-child-code.ts has
// its bytes, and a test assembles this again.
//
// close(fd): returns the child's process id, or a negative errno. The child has no stack of its own, so it touches none, and
// takes no signal: all are blocked before it is made.

  endbr64
  mov %edi, %r8d
  xor %edi, %edi               // SIG_BLOCK
  lea all(%rip), %rsi
  lea -16(%rsp), %rdx          // below the stack, where no signal of this thread writes
  mov $8, %r10d
  mov $14, %eax                // rt_sigprocmask
  syscall
  mov $0x500, %edi             // CLONE_VM, CLONE_FILES
  xor %esi, %esi
  xor %edx, %edx
  xor %r10d, %r10d
  mov $56, %eax                // clone
  syscall
  test %eax, %eax
  jz child
  mov %rax, %r9
  mov $2, %edi                 // SIG_SETMASK
  lea -16(%rsp), %rsi
  xor %edx, %edx
  mov $8, %r10d
  mov $14, %eax
  syscall
  mov %r9, %rax
  ret
child:
  mov %r8d, %edi
  mov $3, %eax                 // close
  syscall
  xor %edi, %edi
  mov $60, %eax                // exit
  syscall
  hlt
  .balign 8
all:
  .quad -1
