/* The loop of the mock upstream: sockets, timers, writes.  usage: mock [PORT]  (0 = any free one)
 *
 * Prints {"port": N} once it listens. A chunk carries the CLOCK_MONOTONIC microsecond at which it
 * was made, so a client on the same machine reads its lateness without a baseline. The cost of one
 * paced chunk is a heap step, a few memcpy and one send().
 * Knows nothing of HTTP or of faults. Linux only (epoll_pwait2: kernel 5.11, glibc 2.35).
 */
#define _GNU_SOURCE
#include "mock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 512, ACCEPTS_PER_TURN = 64, TICKS_PER_TURN = 256 };
struct timer { uint64_t due_us; struct conn *conn; };
static struct timer *heap;
static int heap_len, heap_cap, epoll_fd, port;
static uint64_t next_number;
static struct conn *doomed[BATCH * 2 + TICKS_PER_TURN];
static int doomed_len;

uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

int mock_port(void) { return port; }

/* A heap of four children a node: half the depth of a binary one, and one cache line a level. */
static void settle(int at, struct timer t) {
  while (at > 0 && t.due_us < heap[(at - 1) / 4].due_us) {
    heap[at] = heap[(at - 1) / 4];
    heap[at].conn->slot = at;
    at = (at - 1) / 4;
  }
  for (;;) {
    int best = -1;
    for (int k = 4 * at + 1; k <= 4 * at + 4 && k < heap_len; k++)
      if (best < 0 || heap[k].due_us < heap[best].due_us) best = k;
    if (best < 0 || heap[best].due_us >= t.due_us) break;
    heap[at] = heap[best];
    heap[at].conn->slot = at;
    at = best;
  }
  heap[at] = t;
  t.conn->slot = at;
}

void wake_at(struct conn *c, uint64_t due_us) {
  c->due_us = due_us;
  if (c->slot < 0) {
    if (heap_len == heap_cap) {
      heap_cap = heap_cap ? heap_cap * 2 : 1024;
      heap = realloc(heap, (size_t)heap_cap * sizeof *heap);
      if (!heap) abort();
    }
    c->slot = heap_len++;
  }
  settle(c->slot, (struct timer){due_us, c});
}

void sleep_forever(struct conn *c) {
  int at = c->slot;
  if (at < 0) return;
  c->slot = -1;
  if (at != --heap_len) settle(at, heap[heap_len]);
}

size_t queued(const struct conn *c) { return c->out.len - c->out_at; }

void put(struct conn *c, const void *bytes, size_t n) {
  struct buffer *b = &c->out;
  if (b->len + n > b->cap) {
    b->cap = (b->len + n) * 2 + 512;
    b->data = realloc(b->data, b->cap);
    if (!b->data) abort();
  }
  memcpy(b->data + b->len, bytes, n);
  b->len += n;
}

void put_text(struct conn *c, const char *text) { put(c, text, strlen(text)); }

void put_format(struct conn *c, const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  put(c, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

static void watch(struct conn *c, int want_write) {
  if (c->want_write == want_write) return;
  c->want_write = want_write;
  uint32_t events = EPOLLIN | EPOLLRDHUP | (want_write ? (uint32_t)EPOLLOUT : 0u);
  struct epoll_event e = {.events = events, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

/* The memory is freed after the batch: a later event of the same batch may still name it. */
static void bury(struct conn *c, int verdict) {
  if (c->fd < 0) return;
  if (c->serial) journal_end(c, c->closing || verdict == RESET ? END_FAULT : END_ABORTED);
  sleep_forever(c);
  if (verdict == RESET) {
    struct linger rst = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof rst);
  }
  close(c->fd);
  c->fd = -1;
  counts.open--;
  doomed[doomed_len++] = c;
}

/* Writes what is queued. Returns -1 when the peer is gone. A dripping plan sends a few bytes a
 * millisecond, so that a reader meets every byte boundary. */
static int flush(struct conn *c) {
  while (queued(c)) {
    size_t n = queued(c);
    int drip = c->plan.drip;
    if (drip > 0 && n > (size_t)drip) n = (size_t)drip;
    ssize_t sent = send(c->fd, c->out.data + c->out_at, n, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) return -1;
      break;
    }
    c->out_at += (size_t)sent;
    if (drip > 0 && queued(c)) {
      wake_at(c, now_us() + 1000);
      return 0;
    }
  }
  if (!queued(c)) {
    c->out.len = c->out_at = 0;
    if (c->out.cap > 2 * OUT_HIGH) {
      free(c->out.data);
      c->out = (struct buffer){0};
    }
  }
  watch(c, queued(c) > 0);
  return 0;
}

/* Runs the connection until it waits for the clock, for its peer, or is over. */
static void advance(struct conn *c) {
  for (;;) {
    int verdict = WAIT, dripping = c->plan.drip > 0 && queued(c);
    if (!c->closing && !dripping && c->slot < 0 && queued(c) < OUT_HIGH) {
      if (c->step) verdict = c->step(c);
      else if (c->in.len) verdict = take_request(c);
    }
    if (verdict == HANG_UP) c->closing = 1;
    if ((queued(c) || c->want_write) && flush(c)) {
      bury(c, HANG_UP);
      return;
    }
    if (verdict == RESET || (c->closing && !queued(c))) {
      bury(c, verdict);
      return;
    }
    if (dripping && !queued(c)) continue;
    if (verdict != KEEP || c->want_write || c->slot >= 0) return;
  }
}

static void receive(struct conn *c) {
  struct buffer *b = &c->in;
  if (b->cap - b->len < 4096) {
    size_t cap = b->cap ? b->cap * 2 : 8192;
    if (cap > IN_LIMIT * 2u) {
      bury(c, RESET);
      return;
    }
    b->data = realloc(b->data, cap);
    if (!b->data) abort();
    b->cap = cap;
  }
  ssize_t n = recv(c->fd, b->data + b->len, b->cap - b->len - 1, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN)) {
    bury(c, HANG_UP);
    return;
  }
  if (n < 0) return;
  b->len += (size_t)n;
  b->data[b->len] = 0;
  if (!c->step && !c->closing) advance(c);
}

static void welcome(int listener) {
  int one = 1;
  for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->fd = fd;
    c->slot = -1;
    c->number = ++next_number;
    counts.connections++;
    counts.open++;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
  }
}

static int listen_on(int wanted) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  if (bind(fd, (struct sockaddr *)&a, size) || listen(fd, 4096) ||
      getsockname(fd, (struct sockaddr *)&a, &size)) {
    perror("mock: cannot listen");
    exit(1);
  }
  port = ntohs(a.sin_port);
  printf("{\"port\": %d}\n", port);
  fflush(stdout);
  return fd;
}

static void handle(struct epoll_event *e) {
  struct conn *c = e->data.ptr;
  if (c->fd < 0) return;
  if (e->events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
    bury(c, HANG_UP);
    return;
  }
  if (e->events & EPOLLOUT) advance(c);
  if (c->fd >= 0 && (e->events & EPOLLIN)) receive(c);
}

static void run_timers(void) {
  uint64_t now = heap_len ? now_us() : 0;
  for (int i = 0; i < TICKS_PER_TURN && heap_len && heap[0].due_us <= now; i++) {
    struct conn *c = heap[0].conn;
    sleep_forever(c);
    advance(c);
  }
}

int main(int argc, char **argv) {
  struct rlimit files;
  if (!getrlimit(RLIMIT_NOFILE, &files)) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, batch[BATCH];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    struct timespec wait = {0}, *timeout = NULL;
    if (heap_len) {
      uint64_t now = now_us(), due = heap[0].due_us, left = due > now ? due - now : 0;
      wait.tv_sec = (time_t)(left / 1000000u);
      wait.tv_nsec = (long)(left % 1000000u * 1000u);
      timeout = &wait;
    }
    int n = epoll_pwait2(epoll_fd, batch, BATCH, timeout, NULL);
    for (int i = 0; i < n; i++) {
      if (!batch[i].data.ptr) welcome(listener);
      else handle(&batch[i]);
    }
    run_timers();
    for (int i = 0; i < doomed_len; i++) {
      free(doomed[i]->in.data);
      free(doomed[i]->out.data);
      free(doomed[i]);
    }
    doomed_len = 0;
  }
}
