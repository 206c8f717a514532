/*
 * What a hostile root file system has in the place of ld.so, or names as an interpreter: it runs in whatever process
 * the kernel was brought to make, says on which program's image that stands, and tries to open that for writing.
 * Without libc, since it is itself what would have loaded it; compiled by tests/lab/prober.ts.
 */
#include <asm/unistd.h>

#if defined __x86_64__
static long call(long number, long a, long b, long c, long d) {
  register long fourth __asm__("r10") = d;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return result;
}
#elif defined __aarch64__
static long call(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#endif

void _start(void) {
  char text[4096];
  const char exe[] = { '/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'e', 'x', 'e', 0 };
  long length = call(__NR_readlinkat, -100, (long)exe, (long)text, sizeof text - 2);
  long writable = call(__NR_openat, -100, (long)exe, 1 /* O_WRONLY */, 0);
  text[length++] = writable < 0 ? '-' : '+';
  text[length++] = '\n';
  call(__NR_write, 1, (long)text, length, 0);
  call(__NR_exit_group, 77, 0, 0, 0);
  __builtin_unreachable();
}
