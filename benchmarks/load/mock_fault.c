/* What an ill upstream does. fault_before_body() decides before the first byte of the body,
 * fault_in_stream() at piece `at` of a stream. A reset comes a little after the bytes before it,
 * so that its victim has read them.
 */
#define _GNU_SOURCE
#include "mock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESET_DELAY_US = 20000, BLOCK = 64 << 10, FLOOD = 1000000, SLOW_HEAD_MS = 200, STORED = 60000 };

uint32_t crc32_of(uint32_t crc, const void *bytes, size_t n) {
  static uint32_t table[256];
  const unsigned char *p = bytes;
  if (!table[1])
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t v = i;
      for (int k = 0; k < 8; k++) v = v & 1 ? 0xedb88320u ^ (v >> 1) : v >> 1;
      table[i] = v;
    }
  crc = ~crc;
  while (n--) crc = table[(crc ^ *p++) & 255] ^ (crc >> 8);
  return ~crc;
}

static void put_json_head(struct conn *c, size_t length) {
  put_format(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             length);
}

static int step_hang(struct conn *c) {
  (void)c;
  return WAIT;
}

static int step_reset(struct conn *c) {
  (void)c;
  return RESET;
}

static int reset_soon(struct conn *c) {
  c->step = step_reset;
  wake_at(c, now_us() + RESET_DELAY_US);
  return KEEP;
}

static int hang_up(struct conn *c) {
  end_answer(c, END_FAULT);
  return HANG_UP;
}

static int hang(struct conn *c) {
  c->step = step_hang;
  return WAIT;
}

/* One line of `megabytes`, never ended: inside an event, or inside a JSON string. */
static int step_huge_line(struct conn *c) {
  static char block[BLOCK];
  long long whole = (long long)c->plan.megabytes << 20;
  memset(block, 'a', sizeof block);
  while (c->progress < whole && queued(c) < OUT_HIGH) {
    if (c->plan.streaming) put_framed(c, block, sizeof block);
    else put(c, block, sizeof block);
    c->progress += BLOCK;
  }
  if (c->progress < whole) return KEEP;
  if (c->plan.streaming) put_text(c, "0\r\n\r\n");
  return end_answer(c, END_FAULT);
}

static int huge_line(struct conn *c) {
  static const char OPENING[] = "{\"choices\":[{\"text\":\"";
  if (c->plan.streaming) {
    put_stream_head(c, "Transfer-Encoding: chunked\r\n");
    put_framed(c, "data: {\"choices\":[{\"delta\":{\"content\":\"", 39);
  } else {
    put_json_head(c, ((size_t)c->plan.megabytes << 20) + sizeof OPENING - 1);
    put_text(c, OPENING);
  }
  c->step = step_huge_line;
  return KEEP;
}

static int step_slow_head(struct conn *c) {
  static const char TEXT[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Slow: "
                             "one byte at a time\r\nContent-Length: 2\r\n\r\n{}";
  put(c, TEXT + c->progress, 1);
  if (++c->progress == (long long)sizeof TEXT - 1) return end_answer(c, END_FAULT);
  wake_at(c, now_us() + (uint64_t)(c->plan.gap_ms ? c->plan.gap_ms : SLOW_HEAD_MS) * 1000u);
  return KEEP;
}

static int step_big_head(struct conn *c) {
  char fill[1001];
  memset(fill, 'h', 1000);
  fill[1000] = 0;
  if (!c->progress) put_text(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
  while (c->progress < (long long)c->plan.megabytes << 20 && queued(c) < OUT_HIGH) {
    put_format(c, "X-Fill-%06lld: %s\r\n", c->progress / 1000, fill);
    c->progress += 1000;
  }
  if (c->progress < (long long)c->plan.megabytes << 20) return KEEP;
  put_text(c, "Content-Length: 2\r\n\r\n{}");
  return end_answer(c, END_FAULT);
}

static int step_info_flood(struct conn *c) {
  for (; c->progress < FLOOD && queued(c) < OUT_HIGH; c->progress++)
    put_text(c, "HTTP/1.1 103 Early Hints\r\n\r\n");
  if (c->progress < FLOOD) return KEEP;
  c->plan.fault = F_NONE;
  return begin_answer(c);
}

/* A Content-Length that lies by `error` bytes. */
static int lie_about_length(struct conn *c, long error) {
  char *body;
  size_t n = write_document(c, &body);
  if (n < 24) return hang_up(c);
  put_format(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %ld\r\n\r\n",
             c->plan.streaming ? "text/event-stream" : "application/json", (long)n + error);
  put(c, body, n);
  end_answer(c, END_FAULT);
  return error > 0 ? HANG_UP : KEEP;
}

static int half_document(struct conn *c) {
  char *body;
  size_t n = write_document(c, &body);
  put_json_head(c, n);
  put(c, body, n / 2);
  if (c->plan.fault == F_HANG_MID) return hang(c);
  return c->plan.fault == F_RESET_MID ? reset_soon(c) : hang_up(c);
}

static int gzip(struct conn *c) {
  static const unsigned char HEAD[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  char *body;
  c->crc = c->plain_size = 0;
  c->framing = FRAME_GZIP;
  put_format(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: gzip\r\n"
             "Transfer-Encoding: chunked\r\n\r\na\r\n",
             c->plan.streaming ? "text/event-stream" : "application/json");
  put(c, HEAD, 10);
  put_text(c, "\r\n");
  if (c->plan.streaming) {
    c->step = step_stream;
    c->due_us = now_us();
    return KEEP;
  }
  size_t n = write_document(c, &body);
  for (size_t at = 0; at < n; at += STORED)
    put_framed(c, body + at, n - at < STORED ? n - at : STORED);
  unsigned char end[13] = {1, 0, 0, 255, 255};
  memcpy(end + 5, &c->crc, 4);
  memcpy(end + 9, &c->plain_size, 4);
  put_text(c, "d\r\n");
  put(c, end, 13);
  put_text(c, "\r\n0\r\n\r\n");
  return end_answer(c, END_WHOLE);
}

static int say_status(struct conn *c) {
  char body[256], status[64], retry[64] = "";
  int n = snprintf(body, sizeof body,
                   "{\"error\":{\"message\":\"mock says %d\",\"type\":\"mock_error\",\"param\":null,"
                   "\"code\":\"mock_%d\"}}", c->plan.status, c->plan.status);
  snprintf(status, sizeof status, "%d Mock", c->plan.status);
  if (c->plan.retry_after_s)
    snprintf(retry, sizeof retry, "Retry-After: %d\r\n", c->plan.retry_after_s);
  put_document(c, status, retry, body, (size_t)n);
  return end_answer(c, END_FAULT);
}

static int say_other(struct conn *c, int fault) {
  static const char ERROR[] = "{\"error\":{\"message\":\"mock failed\",\"type\":\"server_error\","
                              "\"param\":null,\"code\":\"mock_failed\"}}";
  static const char HTML[] = "<html><body><h1>502 Bad Gateway</h1></body></html>";
  if (fault == F_REDIRECT)
    put_format(c, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%d/elsewhere\r\n"
               "Content-Length: 0\r\n\r\n", mock_port());
  else if (fault == F_EMPTY)
    put_format(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 0\r\n\r\n",
               c->plan.streaming ? "text/event-stream" : "application/json");
  else if (fault == F_HTML)
    put_format(c,
               "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n"
               "\r\n%s",
               sizeof HTML - 1, HTML);
  else if (c->plan.streaming) {
    put_stream_head(c, "Transfer-Encoding: chunked\r\n");
    put_event(c, ERROR, sizeof ERROR - 1);
    put_text(c, "0\r\n\r\n");
  } else
    put_document(c, "200 OK", "", ERROR, sizeof ERROR - 1);
  return end_answer(c, END_FAULT);
}

static int no_length(struct conn *c) {
  char *body;
  c->framing = FRAME_PLAIN;
  if (c->plan.streaming) return -1;
  size_t n = write_document(c, &body);
  put_text(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
  put(c, body, n);
  return end_answer(c, END_WHOLE);
}

int fault_before_body(struct conn *c, int *verdict) {
  static const char JUNK[] = "\0\1\2 not http at all\r\n\r\n";
  int fault = c->plan.fault, streaming = c->plan.streaming;
  switch (fault) {
  case F_HANG: *verdict = hang(c); return 1;
  case F_RESET: *verdict = RESET; return 1;
  case F_RESET_HEAD:
    put_text(c, "HTTP/1.1 200 OK\r\nContent-Ty");
    *verdict = reset_soon(c);
    return 1;
  case F_RESET_BODY:
    if (streaming) put_stream_head(c, "Transfer-Encoding: chunked\r\n");
    else put_json_head(c, 900);
    *verdict = reset_soon(c);
    return 1;
  case F_CLOSE: *verdict = hang_up(c); return 1;
  case F_LONG_LENGTH: *verdict = lie_about_length(c, 100); return 1;
  case F_SHORT_LENGTH: *verdict = lie_about_length(c, -20); return 1;
  case F_GZIP: *verdict = gzip(c); return 1;
  case F_HUGE_LINE: *verdict = huge_line(c); return 1;
  case F_SLOW_HEAD: c->step = step_slow_head; *verdict = KEEP; return 1;
  case F_BIG_HEAD: c->step = step_big_head; *verdict = KEEP; return 1;
  case F_INFO_FLOOD: c->step = step_info_flood; *verdict = KEEP; return 1;
  case F_ERROR_200: case F_REDIRECT: case F_EMPTY: case F_HTML:
    *verdict = say_other(c, fault);
    return 1;
  case F_JUNK:
    put(c, JUNK, sizeof JUNK - 1);
    *verdict = hang_up(c);
    return 1;
  case F_HANG_MID: case F_RESET_MID: case F_CLOSE_MID: case F_HALF_CHUNK: case F_BAD_CHUNK:
    if (streaming) return 0;
    *verdict = half_document(c);
    return 1;
  case F_NO_LENGTH:
    *verdict = no_length(c);
    return *verdict >= 0;
  default:
    if (c->plan.status == 200) return 0;
    *verdict = say_status(c);
    return 1;
  }
}

int fault_in_stream(struct conn *c, int *verdict) {
  static const char ERROR[] = "{\"error\":{\"message\":\"mock failed midway\",\"type\":"
                              "\"server_error\",\"param\":null,\"code\":\"mock_failed\"}}";
  switch (c->plan.fault) {
  case F_HANG_MID: *verdict = hang(c); return 1;
  case F_RESET_MID: *verdict = reset_soon(c); return 1;
  case F_CLOSE_MID: *verdict = hang_up(c); return 1;
  case F_HALF_CHUNK:
    put_text(c, "1f4\r\ndata: {\"id\":\"chatcmpl-half");
    *verdict = hang_up(c);
    return 1;
  case F_BAD_CHUNK:
    put_text(c, "zz\r\ndata: {}\n\n\r\n");
    *verdict = hang_up(c);
    return 1;
  case F_ERROR_MID:
    put_event(c, ERROR, sizeof ERROR - 1);
    put_text(c, "0\r\n\r\n");
    *verdict = end_answer(c, END_FAULT);
    return 1;
  default:
    return 0;
  }
}
