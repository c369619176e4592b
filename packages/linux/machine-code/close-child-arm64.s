// Closes a descriptor in a child process that shares memory and descriptors with this one, for arm64; src/machine-code/close-child-code.ts has
// its bytes, and a test assembles this again.
//
// close(fd): returns the child's process id, or a negative errno. The child has no stack of its own, so it touches none, and
// takes no signal: all are blocked before it is made.

  bti c
  mov w9, w0
  sub sp, sp, #16
  mov x0, #0                   // SIG_BLOCK
  adr x1, all
  mov x2, sp
  mov x3, #8
  mov x8, #135                 // rt_sigprocmask
  svc #0
  mov x0, #0x500               // CLONE_VM, CLONE_FILES
  mov x1, #0
  mov x2, #0
  mov x3, #0
  mov x4, #0
  mov x8, #220                 // clone
  svc #0
  cbz x0, child
  mov x10, x0
  mov x0, #2                   // SIG_SETMASK
  mov x1, sp
  mov x2, #0
  mov x3, #8
  mov x8, #135
  svc #0
  mov x0, x10
  add sp, sp, #16
  ret
child:
  mov w0, w9
  mov x8, #57                  // close
  svc #0
  mov x0, #0
  mov x8, #93                  // exit
  svc #0
  brk #0
  .balign 8
all:
  .quad -1
