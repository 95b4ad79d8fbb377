/* The load client: many connections, one thread, one epoll set; prints one JSON object.
 *
 *   client -p PORT [-u PATH] [-k KEY] [-H 'Name: value']... [-m MODEL] [-x 'directive words']
 *          -c CONNECTIONS -t TOTAL [-n PIECES] [-d GAP_MS] [-r RAMP_MS] [-R PER_SECOND]
 *          [-j] [-1] [-w WARM_S] [-T LIMIT_S]
 *
 * Closed loop: the first requests are spread over the ramp, then each connection asks again when
 * it is answered. -R makes it an open loop: request k is due at k/R seconds, waits in line when
 * all connections are busy, and its times count from when it was due, so that a slow server
 * cannot hide its queue. -j asks without streaming; -1 uses a connection once; answers begun in
 * the first -w seconds are not counted. Times in microseconds. Loopback only.
 */
#define _GNU_SOURCE
#include "client.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 512, READ_SIZE = 256 << 10, REQUEST_SIZE = 16 << 10, HEADERS_SIZE = 4096 };
struct conn {
  int fd, busy, connecting;
  uint64_t due_us;
  struct conn *next_idle;
  struct response response;
};
static struct {
  int port, conns, total, pieces, gap_ms, ramp_ms, json, once;
  double rate, warm_s, limit_s;
  const char *path, *key, *model, *extra;
  char headers[HEADERS_SIZE];
} o = {.conns = 1, .total = 1, .pieces = 200, .limit_s = 60, .path = "/v1/chat/completions",
       .key = "none", .model = "gpt-4o-mini", .extra = ""};
static struct {
  uint64_t started, finished, refused, http_errors, broken, incomplete, dials, waited, busy,
      max_busy, reads, shared_reads, bytes;
} k;
static struct histogram lateness, first, whole, discarded;
static struct conn *conns, *idle;
static char request[REQUEST_SIZE];
static size_t request_len;
static int epoll_fd, last_status;
static uint64_t begun, counting_from;

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void hang_up(struct conn *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  c->connecting = 0;
}

static void finish(struct conn *c, int how, uint64_t now) {
  struct response *r = &c->response;
  int counted = c->due_us >= counting_from;
  c->busy = 0;
  k.busy--;
  k.finished++;
  if (how == BROKEN) k.broken++;
  else if (r->status != 200) {
    k.http_errors++;
    last_status = r->status;
  } else {
    if (!o.json && (r->pieces < o.pieces || !r->done)) k.incomplete++;
    if (counted && r->first_us) note(&first, r->first_us - c->due_us);
    if (counted) note(&whole, now - c->due_us);
  }
  if (how == BROKEN || o.once || !r->keep_alive || r->close_delimited) hang_up(c);
  c->next_idle = idle;
  idle = c;
}

static int dial(struct conn *c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) return -1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  k.dials++;
  if (connect(c->fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS) return -1;
  c->connecting = 1;
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

/* A request is far smaller than an empty socket's buffer; a short send is a broken answer. */
static int say(struct conn *c) {
  return send(c->fd, request, request_len, MSG_NOSIGNAL) == (ssize_t)request_len ? 0 : -1;
}

static void ask(struct conn *c, uint64_t due_us) {
  c->busy = 1;
  c->due_us = due_us;
  expect_response(&c->response);
  k.started++;
  if (++k.busy > k.max_busy) k.max_busy = k.busy;
  if (c->fd < 0 ? dial(c) : say(c)) {
    k.refused++;
    finish(c, BROKEN, now_us());
  }
}

static void connected(struct conn *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
  c->connecting = 0;
  if (error || say(c)) {
    k.refused++;
    finish(c, BROKEN, now_us());
  }
}

static void receive(struct conn *c) {
  static char bytes[READ_SIZE];
  ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
  uint64_t now = now_us();
  int how;
  if (n < 0 && errno == EAGAIN) return;
  if (!c->busy) { /* an idle connection was closed by the server, or says what nobody asked */
    hang_up(c);
    return;
  }
  if (n <= 0) {
    how = n == 0 ? end_of_input(&c->response) : BROKEN;
  } else {
    struct lateness late = {c->due_us >= counting_from ? &lateness : &discarded, 0};
    how = read_response(&c->response, bytes, (size_t)n, now, &late);
    k.bytes += (uint64_t)n;
    k.reads += late.in_this_read > 0;
    k.shared_reads += late.in_this_read > 1;
  }
  if (how != MORE) finish(c, how, now);
}

/* Starts what is due; returns the milliseconds until the next start, at most 100. */
static int start_due(uint64_t now) {
  while (k.started < (uint64_t)o.total) {
    uint64_t due = now;
    if (o.rate > 0) due = begun + (uint64_t)((double)k.started * 1e6 / o.rate);
    else if (k.started < (uint64_t)o.conns)
      due = begun + (uint64_t)o.ramp_ms * 1000u * k.started / (uint64_t)o.conns;
    if (due > now) return due - now > 100000 ? 100 : (int)((due - now) / 1000);
    if (!idle) {
      k.waited += o.rate > 0;
      return 100;
    }
    struct conn *c = idle;
    idle = c->next_idle;
    ask(c, due);
  }
  return 100;
}

static void write_request(void) {
  char body[HEADERS_SIZE];
  int n = snprintf(
      body, sizeof body,
      "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a careful clerk. "
      "Answer in one sentence and name the line you rely on.\"},{\"role\":\"user\",\"content\":"
      "\"[[n=%d d=%d %s]] Which of the ledger's accounts rise on the left, which on the right, and "
      "why do the two sides always agree at the end of a day?\"}],\"temperature\":0.2,"
      "\"max_tokens\":512%s}",
      o.model, o.pieces, o.gap_ms, o.extra,
      o.json ? "" : ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
  request_len = (size_t)snprintf(
      request, sizeof request,
      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: "
      "application/json\r\nAccept: */*\r\n%sContent-Length: %d\r\n\r\n%s",
      o.path, o.port, o.key, o.headers, n, body);
  if (n >= (int)sizeof body || request_len >= sizeof request) {
    fprintf(stderr, "client: the request is too long\n");
    exit(2);
  }
}

static void read_options(int argc, char **argv) {
  size_t n = 0;
  for (int c; (c = getopt(argc, argv, "p:u:k:H:m:x:c:t:n:d:r:R:j1w:T:")) > 0;) switch (c) {
    case 'p': o.port = atoi(optarg); break;
    case 'u': o.path = optarg; break;
    case 'k': o.key = optarg; break;
    case 'H': n += (size_t)snprintf(o.headers + n, sizeof o.headers - n, "%.1000s\r\n", optarg);
      if (n > sizeof o.headers - 1024) exit(2);
      break;
    case 'm': o.model = optarg; break;
    case 'x': o.extra = optarg; break;
    case 'c': o.conns = atoi(optarg); break;
    case 't': o.total = atoi(optarg); break;
    case 'n': o.pieces = atoi(optarg); break;
    case 'd': o.gap_ms = atoi(optarg); break;
    case 'r': o.ramp_ms = atoi(optarg); break;
    case 'R': o.rate = atof(optarg); break;
    case 'j': o.json = 1; break;
    case '1': o.once = 1; break;
    case 'w': o.warm_s = atof(optarg); break;
    case 'T': o.limit_s = atof(optarg); break;
    default: exit(2);
    }
  if (!o.port || o.conns < 1) {
    fprintf(stderr, "client: -p PORT is needed; the options are at the head of client.c\n");
    exit(2);
  }
}

static void print_result(void) {
  printf("{\"seconds\":%.3f,\"started\":%llu,\"finished\":%llu,\"refused\":%llu,\"http_errors\":"
         "%llu,\"last_status\":%d,\"broken\":%llu,\"incomplete\":%llu,\"waited\":%llu,\"dials\":"
         "%llu,\"max_busy\":%llu,\"reads\":%llu,\"shared_reads\":%llu,\"bytes\":%llu,"
         "\"pieces\":%llu",
         (double)(now_us() - begun) / 1e6, (unsigned long long)k.started,
         (unsigned long long)k.finished, (unsigned long long)k.refused,
         (unsigned long long)k.http_errors, last_status, (unsigned long long)k.broken,
         (unsigned long long)k.incomplete, (unsigned long long)k.waited,
         (unsigned long long)k.dials, (unsigned long long)k.max_busy, (unsigned long long)k.reads,
         (unsigned long long)k.shared_reads, (unsigned long long)k.bytes,
         (unsigned long long)(lateness.n + discarded.n));
  print_histogram("lateness_us", &lateness);
  print_histogram("first_us", &first);
  print_histogram("whole_us", &whole);
  printf("}\n");
}

int main(int argc, char **argv) {
  struct rlimit files;
  struct epoll_event batch[BATCH];
  read_options(argc, argv);
  write_request();
  signal(SIGPIPE, SIG_IGN);
  if (!getrlimit(RLIMIT_NOFILE, &files)) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  conns = calloc((size_t)o.conns, sizeof *conns);
  if (!conns) return 2;
  for (int i = o.conns - 1; i >= 0; i--) {
    conns[i].fd = -1;
    conns[i].next_idle = idle;
    idle = &conns[i];
  }
  begun = now_us();
  counting_from = begun + (uint64_t)(o.warm_s * 1e6);
  uint64_t stop = begun + (uint64_t)(o.limit_s * 1e6);
  while (k.finished < (uint64_t)o.total) {
    uint64_t now = now_us();
    if (now > stop) break;
    int n = epoll_wait(epoll_fd, batch, BATCH, start_due(now));
    for (int i = 0; i < n; i++) {
      struct conn *c = batch[i].data.ptr;
      if (c->fd < 0) continue;
      if (c->connecting) connected(c);
      else receive(c);
    }
  }
  print_result();
  return 0;
}
