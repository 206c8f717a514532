/*
 * Runs a command and kills it (SIGKILL, all of its threads) at the N-th system call of its main thread, before the
 * call is done. What is about memory and threads, which is mostly the engine's, is not counted: nothing of it outlives
 * the process, and on a busy machine it comes by the hundred. Tells on descriptor 3 what became of it, one line:
 *
 *   killed POINT CALL PHASE      CALL is the number of the system call that was not done
 *   ended POINTS WAIT PHASE      it ended by itself, after so many calls, of which the WAIT-th was the first wait
 *
 * PHASE is 0 until the main thread waits for events (epoll_pwait) for the first time, then 1; with --end it is 2 from
 * the moment when the command's children were killed: at the first such wait, so that what comes after a container's
 * end can be reached, too.
 *
 * With --behind as the point, children are stopped as soon as they exist, the command is killed when it waits for what
 * they say on a pipe, and then they go on: a child that is as far behind its parent as can be. With --stopped they stay
 * stopped. With --supervised it is killed when it waits for events for the first time.
 *
 * Usage: kill_at [--end] POINT|--behind|--stopped|--supervised COMMAND [ARGUMENT…]      POINT 0: never
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/ptrace.h>

static void die(const char *what) {
  fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
  exit(99);
}

/* Sends a signal to every child; the last one is left in *last. Returns how many there are. */
static int signal_children(pid_t pid, int signal, pid_t *last) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  FILE *children = fopen(path, "re");
  if (!children) die(path);
  int child, sent = 0;
  while (fscanf(children, "%d", &child) == 1 && kill(child, signal) == 0) *last = child, sent++;
  fclose(children);
  return sent;
}

static int is_pipe(pid_t pid, int descriptor) {
  char path[64], target[16] = "";
  snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, descriptor);
  return readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "pipe:", 5) == 0;
}

/* Whether a system call is about memory or threads alone. */
static int is_internal(unsigned long call) {
  switch (call) {
    case SYS_futex: case SYS_sched_yield: case SYS_madvise: case SYS_mmap: case SYS_munmap: case SYS_mprotect: return 1;
    default: return 0;
  }
}

static int tell(const char *what, long point, long call, int phase) {
  dprintf(3, "%s %ld %ld %d\n", what, point, call, phase);
  return 0;
}

int main(int argc, char **argv) {
  int end = argc > 1 && strcmp(argv[1], "--end") == 0;
  argv += 1 + end;
  if (argc < 3 + end) return 98;
  int stopped = strcmp(*argv, "--stopped") == 0, behind = stopped || strcmp(*argv, "--behind") == 0;
  int supervised = strcmp(*argv, "--supervised") == 0;
  long point = atol(*argv++), calls = 0, wait = 0;
  pid_t child = 0, last = 0, pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    close(3);
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(97);
    execv(argv[0], argv);
    _exit(96);
  }
  int status, phase = 0, signal = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) die(argv[0]);
  ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  for (;;) {
    ptrace(PTRACE_SYSCALL, pid, 0, signal);
    signal = 0;
    if (waitpid(pid, &status, __WALL) != pid) die("waitpid");
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      tell("ended", calls, wait, phase);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      continue;
    }
    struct ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) continue; /* killed by somebody else */
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || is_internal(info.entry.nr)) continue;
    int waits = info.entry.nr == SYS_epoll_pwait;
    if (behind && child == 0) signal_children(pid, SIGSTOP, &child);
    calls++;
    if (waits && phase == 0) phase = 1, wait = calls;
    if (calls == point || (supervised && waits) || (child > 0 && info.entry.nr == SYS_read && is_pipe(pid, (int) info.entry.args[0]))) {
      kill(pid, SIGKILL);
      while (waitpid(pid, &status, __WALL) == pid && !WIFEXITED(status) && !WIFSIGNALED(status)) {}
      if (child > 0 && !stopped) kill(child, SIGCONT);
      return tell("killed", calls, (long) info.entry.nr, phase);
    }
    if (waits && end && phase == 1 && signal_children(pid, SIGKILL, &last) > 0) phase = 2;
  }
}
