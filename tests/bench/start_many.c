// Runs COUNT copies of a command, at most PARALLEL at once, waits until the last has ended and until no link whose
// name begins with PREFIX is left in this network namespace, and prints "NANOSECONDS FAILED".
// Usage: start_many COUNT PARALLEL PREFIX CMD [ARG...]
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int link_left(const char *prefix) {
  struct if_nameindex *all = if_nameindex(), *one = all;
  while (one && one->if_name && strncmp(one->if_name, prefix, strlen(prefix))) one++;
  int found = one && one->if_name;
  if_freenameindex(all);
  return found;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int count = atoi(argv[1]), parallel = atoi(argv[2]), started = 0, ended = 0, failed = 0;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; fd++) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  long long start = now();
  while (ended < count) {
    pid_t pid;
    int status;
    while (started < count && started - ended < parallel) {
      if (posix_spawnp(&pid, argv[4], &actions, NULL, argv + 4, environ)) return 127;
      started++;
    }
    if (wait(&status) < 0) return 1;
    ended++;
    failed += status != 0;
  }
  struct timespec pause = {0, 200000};
  while (link_left(argv[3]) && now() - start < 120000000000LL) nanosleep(&pause, NULL);
  printf("%lld %d\n", now() - start, failed);
  return 0;
}
