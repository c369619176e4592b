// The SIGBUS handler of @vring/linux for arm64; src/machine-code/sigbus-code.ts has its bytes, and a test assembles this again.
//
// handler(signal, siginfo, context): looks the fault's address up in the table of guarded memory. Found: puts a private zero
// page there, counts, and returns, so that the access is made again. Otherwise: the handler that was there before, or the
// default action.
//
// table: 0 magic, 16 entries in use (32 bits), 20 faults (32 bits), 64 entries of 32 bytes: start, end, bytes of a page,
// faults (32 bits), state (32 bits).

  bti c
  ldr w4, [x1, #8]             // si_code: above 0 the kernel saw a fault, else a process sent the signal
  cmp w4, #0
  b.le other
  ldr x5, [x1, #16]            // si_addr
  ldr x6, table
  ldr w4, [x6, #16]            // entries in use
  add x7, x6, #64
search:
  subs w4, w4, #1
  b.lo other
  ldr x8, [x7]
  cmp x5, x8
  b.lo next
  ldr x8, [x7, #8]
  cmp x5, x8
  b.lo found
next:
  add x7, x7, #32
  b search
found:
  add x8, x7, #24
1: ldaxr w9, [x8]
  add w9, w9, #1
  stlxr w10, w9, [x8]
  cbnz w10, 1b
  add x8, x6, #20
2: ldaxr w9, [x8]
  add w9, w9, #1
  stlxr w10, w9, [x8]
  cbnz w10, 2b
  ldr x1, [x7, #16]
  neg x0, x1
  and x0, x0, x5
  mov w2, #3                   // PROT_READ | PROT_WRITE
  mov w3, #0x4032              // MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
  mov x4, #-1
  mov x5, #0
  mov w8, #222                 // mmap
  svc #0
  mov w11, #1
  cmn x0, #4095
  b.hs default
  ret
other:
  ldr w11, [x1, #8]
  ldr x9, previous
  cmp x9, #1
  b.hi chain
default:
  mov w0, #7
  adr x1, zeros
  mov x2, #0
  mov w3, #8
  mov w8, #134                 // rt_sigaction(SIGBUS, zeros, NULL, 8)
  svc #0
  cmp w11, #0
  b.gt done                    // a fault comes again by itself
  mov w8, #172                 // getpid
  svc #0
  mov w1, #7
  mov w8, #129                 // kill
  svc #0
done:
  ret
chain:
  br x9
  .balign 8
table: .quad 0
previous: .quad 0
zeros: .quad 0, 0, 0, 0
