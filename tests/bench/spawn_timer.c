// Runs one command with stdin, stdout and stderr on /dev/null (or -o: as they are) and prints
// "NANOSECONDS STATUS MAXRSS_KB": from just before posix_spawn to the return of wait4, by CLOCK_MONOTONIC.
// A small static process between the bench and what it times, so that every rival is started by the same cheap
// parent: a fork out of the bench's own large address space would cost more than some of the rivals.
// Usage: spawn_timer [-o] CMD [ARG...]
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  int keep = argc > 1 && !strcmp(argv[1], "-o");
  char **command = argv + 1 + keep;
  if (!*command) return 2;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3 && !keep; fd++)
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  pid_t pid;
  int status;
  struct rusage used;
  long long start = now();
  int error = posix_spawnp(&pid, *command, &actions, NULL, command, environ);
  if (error) {
    fprintf(stderr, "%s: %s\n", *command, strerror(error));
    return 127;
  }
  if (wait4(pid, &status, 0, &used) != pid) return 1;
  long long end = now();
  printf("%lld %d %ld\n", end - start, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), used.ru_maxrss);
  return 0;
}
