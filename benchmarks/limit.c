/* The kernel's own price of a delivery: one WebSocket frame to each of N loopback TCP sockets, round after round.
 *   cc -O2 -o limit limit.c
 *   ./limit <sockets> <rounds> <payload bytes> <us between rounds, 0: none> <frames in one write> <cpu> <reader's cpu>
 * This process writes, by send() or, for several frames, writev(); a child reads everything through epoll. Prints the
 * writer's CPU (user and system) per frame as JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) { perror(what); exit(1); }

static double microseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set)) die("sched_setaffinity");
}

static int read_all(const int *sockets, int n, long long bytes) {
  static char buffer[1 << 16];
  struct epoll_event event, events[256];
  int epoll = epoll_create1(0);
  for (int i = 0; i < n; i++) {
    event = (struct epoll_event){.events = EPOLLIN, .data.fd = sockets[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event)) die("epoll_ctl");
  }
  while (bytes > 0) {
    int ready = epoll_wait(epoll, events, 256, 5000);
    if (ready <= 0) break;
    for (int i = 0; i < ready; i++) bytes -= read(events[i].data.fd, buffer, sizeof buffer);
  }
  return bytes != 0;
}

int main(int argc, char **argv) {
  if (argc != 8) {
    fprintf(stderr, "limit <sockets> <rounds> <payload> <us> <frames> <cpu> <reader's cpu>\n");
    return 2;
  }
  int n = atoi(argv[1]), rounds = atoi(argv[2]), payload = atoi(argv[3]), gap = atoi(argv[4]), together = atoi(argv[5]);
  int head = payload < 126 ? 2 : 4, size = head + payload, one = 1;
  unsigned char *frame = calloc(1, size);
  frame[0] = 0x81;
  frame[1] = payload < 126 ? payload : 126;
  if (head == 4) { frame[2] = payload >> 8; frame[3] = payload; }
  memset(frame + head, 'x', payload);
  struct iovec *frames = calloc(together, sizeof *frames);
  for (int i = 0; i < together; i++) frames[i] = (struct iovec){frame, size};

  int *ours = calloc(n, sizeof *ours), *theirs = calloc(n, sizeof *theirs), listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (void *)&address, length) || listen(listener, 64) || getsockname(listener, (void *)&address, &length)) die("listen");
  for (int i = 0; i < n; i++) {
    theirs[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(theirs[i], (void *)&address, length)) die("connect");
    if ((ours[i] = accept(listener, 0, 0)) < 0) die("accept");
    setsockopt(ours[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  pid_t reader = fork();
  if (!reader) {
    pin(atoi(argv[7]));
    _exit(read_all(theirs, n, (long long)n * rounds * together * size));
  }
  pin(atoi(argv[6]));

  double cpu = microseconds(CLOCK_PROCESS_CPUTIME_ID), start = microseconds(CLOCK_MONOTONIC);
  for (int round = 1; round <= rounds; round++) {
    for (int i = 0; i < n; i++) {
      ssize_t sent = together > 1 ? writev(ours[i], frames, together) : send(ours[i], frame, size, MSG_NOSIGNAL);
      if (sent != (ssize_t)size * together) die("write");
    }
    double early = start + (double)round * gap - microseconds(CLOCK_MONOTONIC);
    if (early > 0) usleep(early);
  }
  cpu = microseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  int status;
  waitpid(reader, &status, 0);
  if (status) { fprintf(stderr, "not everything was read\n"); return 1; }
  printf("{\"cpu_us_per_delivery\": %.3f}\n", cpu / ((double)n * rounds * together));
  return 0;
}
