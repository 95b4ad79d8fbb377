/* Bytes to a plan: finds one whole HTTP/1.1 request in a connection's input and reads from its
 * text the directive that says how to answer.  "[[n=200 d=20 fault=reset_mid at=7]]" travels in
 * the prompt, so it survives any gateway. The keys are listed in benchmarks/README.md.
 * Not a JSON parser: a quote inside a JSON string is escaped, so a quoted key is found by search.
 */
#define _GNU_SOURCE
#include "mock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const FAULT_NAMES[F_COUNT] = {
    "none",       "hang",       "hang_mid",    "reset",        "reset_head",  "reset_body",
    "reset_mid",  "close",      "close_mid",   "close_end",    "close_idle",  "half_chunk",
    "bad_chunk",  "long_length", "short_length", "bad_utf8",   "bad_json",    "error_200",
    "error_mid",  "no_done",    "gzip",        "redirect",     "huge_line",   "slow_head",
    "big_head",   "info_flood", "junk",        "empty",        "html",        "no_length"};
const char *const USAGE_NAMES[U_COUNT] = {"asked",    "0",    "1",    "each",   "negative",
                                          "huge",     "null", "text", "partial"};
static const char *const LANGUAGES[] = {"en", "zh", "code", "emoji"};

struct head { size_t length, body; int chunked, close, expects; };

static int one_of(const char *value, const char *const *names, int n, int otherwise) {
  for (int i = 0; i < n; i++)
    if (!strcmp(value, names[i])) return i;
  return otherwise;
}

static void set_number(struct plan *p, const char *key, const char *value) {
  long long v = atoll(value);
  static const struct { const char *key; size_t at; } INTS[] = {
      {"n", offsetof(struct plan, pieces)},        {"d", offsetof(struct plan, gap_ms)},
      {"wait", offsetof(struct plan, wait_ms)},    {"tools", offsetof(struct plan, tools)},
      {"stamp", offsetof(struct plan, stamped)},   {"drip", offsetof(struct plan, drip)},
      {"pad", offsetof(struct plan, pad)},         {"status", offsetof(struct plan, status)},
      {"retry", offsetof(struct plan, retry_after_s)}, {"at", offsetof(struct plan, at)},
      {"mb", offsetof(struct plan, megabytes)},    {"times", offsetof(struct plan, fail_times)}};
  static const struct { const char *key; size_t at; } LONGS[] = {
      {"in", offsetof(struct plan, in_tokens)},
      {"out", offsetof(struct plan, out_tokens)},
      {"cached", offsetof(struct plan, cached_tokens)},
      {"reasoning", offsetof(struct plan, reasoning_tokens)}};
  for (size_t i = 0; i < sizeof INTS / sizeof *INTS; i++)
    if (!strcmp(key, INTS[i].key)) *(int *)((char *)p + INTS[i].at) = (int)v;
  for (size_t i = 0; i < sizeof LONGS / sizeof *LONGS; i++)
    if (!strcmp(key, LONGS[i].key)) *(long long *)((char *)p + LONGS[i].at) = v;
}

void read_directive(struct plan *p, const char *body, size_t n) {
  const char *end = body + n, *at = body, *close;
  char text[256], *rest = NULL;
  for (;; at++) {
    at = memmem(at, (size_t)(end - at), "[[", 2);
    if (!at || end - at < 4) return;
    if (at[2] >= 'a' && at[2] <= 'z') break;
  }
  close = memmem(at, (size_t)(end - at), "]]", 2);
  if (!close || close - at >= (long)sizeof text) return;
  memcpy(text, at + 2, (size_t)(close - at - 2));
  text[close - at - 2] = 0;
  for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    char *value = strchr(word, '=');
    if (!value) continue;
    *value++ = 0;
    if (!strcmp(word, "fault")) p->fault = one_of(value, FAULT_NAMES, F_COUNT, F_NONE);
    else if (!strcmp(word, "usage")) p->usage = one_of(value, USAGE_NAMES, U_COUNT, U_ASKED);
    else if (!strcmp(word, "lang")) p->lang = one_of(value, LANGUAGES, 4, 0);
    else if (!strcmp(word, "id")) snprintf(p->id, sizeof p->id, "%.*s", ID_SIZE - 1, value);
    else set_number(p, word, value);
  }
}

static int is_true(const char *body, size_t n, const char *quoted_key) {
  size_t key_len = strlen(quoted_key);
  const char *at = memmem(body, n, quoted_key, key_len), *end = body + n;
  if (!at) return 0;
  for (at += key_len; at < end && (*at == ' ' || *at == ':'); at++) continue;
  return end - at >= 4 && !memcmp(at, "true", 4);
}

static void read_model(struct plan *p, const char *body, size_t n) {
  const char *at = memmem(body, n, "\"model\"", 7), *end = body + n;
  snprintf(p->model, sizeof p->model, "gpt-4o-mini");
  if (!at) return;
  for (at += 7; at < end && (*at == ' ' || *at == ':'); at++) continue;
  if (at == end || *at != '"') return;
  at++;
  const char *close = memchr(at, '"', (size_t)(end - at));
  if (close && close - at < (long)sizeof p->model) {
    memcpy(p->model, at, (size_t)(close - at));
    p->model[close - at] = 0;
  }
}

static void make_plan(struct conn *c, const char *path, const char *body, size_t n) {
  struct plan *p = &c->plan;
  const char *space = strchr(path, ' ');
  size_t path_len = space ? (size_t)(space - path) : strlen(path);
  memset(p, 0, offsetof(struct plan, id));
  p->id[0] = 0;
  p->pieces = 200;
  p->stamped = 1;
  p->status = 200;
  p->at = -1;
  p->in_tokens = 120;
  p->out_tokens = -1;
  p->gap_ms = 0;
  if (path_len >= 11 && !memcmp(path + path_len - 11, "/embeddings", 11)) p->shape = EMBEDDING;
  else if (path_len >= 17 && !memcmp(path + path_len - 17, "/chat/completions", 17))
    p->shape = CHAT;
  else if (path_len >= 9 && !memcmp(path + path_len - 9, "/messages", 9)) p->shape = MESSAGES;
  else p->shape = COMPLETION;
  read_model(p, body, n);
  p->streaming = p->shape != EMBEDDING && is_true(body, n, "\"stream\"");
  p->wants_usage = is_true(body, n, "\"include_usage\"");
  read_directive(p, body, n);
  if (p->pieces < 1) p->pieces = 1;
  if (p->out_tokens == -1) p->out_tokens = p->pieces;
  if (p->at < 0) p->at = p->pieces / 2;
  if (!p->megabytes) p->megabytes = p->fault == F_BIG_HEAD ? 2 : 100;
  if (p->fail_times && attempts_of(p->id) > p->fail_times) {
    p->fault = F_NONE;
    p->status = 200;
  }
}

/* One pass over the header lines; only four names matter. */
static void read_head(const char *head, struct head *h) {
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    switch (*line | 32) {
    case 'c':
      if (!strncasecmp(line, "content-length:", 15)) h->body = strtoul(line + 15, NULL, 10);
      else if (!strncasecmp(line, "connection:", 11))
        h->close = !strncasecmp(line + 11 + strspn(line + 11, " "), "close", 5);
      break;
    case 't':
      if (!strncasecmp(line, "transfer-encoding:", 18))
        h->chunked = !strncasecmp(line + 18 + strspn(line + 18, " "), "chunked", 7);
      break;
    case 'e':
      if (!strncasecmp(line, "expect:", 7)) h->expects = 1;
      break;
    default:
      break;
    }
  }
}

/* Hops over the size lines of a chunked body; moves the data together only once it is whole.
 * Returns the bytes used, 0 when more must come, -1 when it is not HTTP. */
static long unchunk(char *body, size_t n, size_t *length) {
  for (int move = 0; move < 2; move++) {
    char *at = body, *end = body + n, *to = body;
    for (;;) {
      char *line = memmem(at, (size_t)(end - at), "\r\n", 2), *stop;
      if (!line) return 0;
      size_t size = strtoul(at, &stop, 16);
      if (stop == at || size > IN_LIMIT) return -1;
      at = line + 2;
      if ((size_t)(end - at) < size + 2) return 0;
      if (move) memmove(to, at, size);
      to += size;
      at += size + 2;
      if (!size) {
        *length = (size_t)(to - body);
        if (move) return at - body;
        break;
      }
    }
  }
  return 0;
}

int take_request(struct conn *c) {
  struct buffer *b = &c->in;
  size_t from = c->scanned > 3 ? c->scanned - 3 : 0, used, length;
  char *end = memmem(b->data + from, b->len - from, "\r\n\r\n", 4), *body;
  struct head h = {0};
  if (!end) {
    c->scanned = b->len;
    return b->len > HEAD_LIMIT ? RESET : WAIT;
  }
  c->scanned = (size_t)(end - b->data);
  h.length = c->scanned + 4;
  *end = 0;
  read_head(b->data, &h);
  body = b->data + h.length;
  if (h.chunked) {
    long whole = unchunk(body, b->len - h.length, &length);
    if (whole < 0) return RESET;
    used = whole ? h.length + (size_t)whole : 0;
  } else {
    length = h.body;
    used = b->len >= h.length + length ? h.length + length : 0;
  }
  if (!used) {
    *end = '\r';
    if (b->len > IN_LIMIT) return RESET;
    if (h.expects && !c->continued) put_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
    c->continued = h.expects;
    return WAIT;
  }
  c->close_after = h.close;
  c->continued = 0;
  c->scanned = 0;
  keep_last(b->data, h.length - 4, body, length);
  int get = !strncmp(b->data, "GET ", 4), verdict;
  if (get) {
    c->plan.drip = 0;
    verdict = answer_get(c, b->data + 4);
  } else {
    char *path = strchr(b->data, ' ');
    make_plan(c, path ? path + 1 : "", body, length);
    verdict = answer(c);
  }
  b->len -= used;
  memmove(b->data, b->data + used, b->len);
  return verdict;
}
