/* Reads one HTTP/1.1 response as it arrives, in any cut. Keeps only its head; of the body, the
 * stamps "@<16 digits>@" (the microsecond a piece was sent) and the mark [DONE]. No I/O here.
 */
#define _GNU_SOURCE
#include "client.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
  IN_HEAD, IN_BODY, SIZE_DIGITS, SIZE_REST, IN_CHUNK, CHUNK_CR, CHUNK_LF, TRAILER, TRAILER_LINE
};
enum { STAMP_DIGITS = 16 };

void expect_response(struct response *r) { memset(r, 0, offsetof(struct response, head)); }

/* Whole digits between two @; a stamp may be cut by the end of a read. */
static const char *read_stamp(struct response *r, const char *p, const char *end, uint64_t now,
                              struct lateness *late) {
  for (; p < end; p++) {
    if (*p >= '0' && *p <= '9' && r->stamp_digits <= STAMP_DIGITS) {
      r->stamp = r->stamp * 10 + (uint64_t)(*p - '0');
      r->stamp_digits++;
      continue;
    }
    if (*p == '@' && r->stamp_digits == STAMP_DIGITS + 1) {
      r->pieces++;
      late->in_this_read++;
      if (r->pieces == 1) r->first_us = now;
      note(late->histogram, now > r->stamp ? now - r->stamp : 0);
      p++;
    }
    r->stamp_digits = 0;
    return p;
  }
  return p;
}

static void look_for_done(struct response *r, const char *p, const char *end) {
  static const char DONE[] = "[DONE]";
  while (p < end) {
    if (!r->done_match) {
      p = memchr(p, '[', (size_t)(end - p));
      if (!p) return;
    }
    if (*p == DONE[r->done_match]) {
      p++;
      if (++r->done_match == 6) {
        r->done = 1;
        r->done_match = 0;
      }
    } else {
      r->done_match = 0;
      if (*p != '[') p++;
    }
  }
}

static void read_body(struct response *r, const char *p, size_t n, uint64_t now,
                      struct lateness *late) {
  const char *end = p + n;
  if (!r->first_us) r->first_us = now;
  look_for_done(r, p, end);
  while (p < end) {
    if (r->stamp_digits) {
      p = read_stamp(r, p, end, now, late);
      continue;
    }
    p = memchr(p, '@', (size_t)(end - p));
    if (!p) return;
    p++;
    r->stamp_digits = 1;
    r->stamp = 0;
  }
}

/* Returns the bytes used; the head is whole when state left IN_HEAD; 0 means it is too long. */
static size_t read_head(struct response *r, const char *bytes, size_t n) {
  size_t room = HEAD_SIZE - 1 - (size_t)r->head_len, take = n < room ? n : room;
  int before = r->head_len;
  memcpy(r->head + before, bytes, take);
  r->head_len += (int)take;
  r->head[r->head_len] = 0;
  char *end = strstr(r->head, "\r\n\r\n");
  if (!end) return r->head_len < HEAD_SIZE - 1 ? take : 0;
  end[2] = 0;
  r->status = r->head_len > 12 ? atoi(r->head + 9) : 0;
  const char *length = strcasestr(r->head, "\r\ncontent-length:");
  r->chunked = strcasestr(r->head, "\r\ntransfer-encoding: chunked") != NULL;
  r->keep_alive = !strcasestr(r->head, "\r\nconnection: close");
  r->left = length && !r->chunked ? atoll(length + 17) : 0;
  r->close_delimited = !length && !r->chunked;
  r->state = r->chunked ? SIZE_DIGITS : IN_BODY;
  size_t used = (size_t)(end + 4 - r->head) - (size_t)before;
  if (r->status >= 100 && r->status < 200) {
    r->state = IN_HEAD;
    r->head_len = 0;
  }
  return used;
}

static int size_digit(struct response *r, char ch) {
  int lower = ch | 32;
  if (ch >= '0' && ch <= '9') r->left = r->left * 16 + (ch - '0');
  else if (lower >= 'a' && lower <= 'f') r->left = r->left * 16 + (lower - 'a' + 10);
  else return 0;
  return 1;
}

/* The framing between chunks, a byte at a time. */
static int read_framing(struct response *r, char ch) {
  switch (r->state) {
  case SIZE_DIGITS:
    if (size_digit(r, ch)) return MORE;
    if (ch != '\r' && ch != ';' && ch != ' ') return BROKEN;
    r->state = SIZE_REST;
    return MORE;
  case SIZE_REST:
    if (ch == '\n') r->state = r->left ? IN_CHUNK : TRAILER;
    return MORE;
  case CHUNK_CR:
    r->state = CHUNK_LF;
    return ch == '\r' ? MORE : BROKEN;
  case CHUNK_LF:
    r->state = SIZE_DIGITS;
    r->left = 0;
    return ch == '\n' ? MORE : BROKEN;
  case TRAILER:
    if (ch == '\n') return WHOLE;
    if (ch != '\r') r->state = TRAILER_LINE;
    return MORE;
  default:
    if (ch == '\n') r->state = TRAILER;
    return MORE;
  }
}

int read_response(struct response *r, const char *bytes, size_t n, uint64_t now,
                  struct lateness *late) {
  while (n > 0) {
    size_t take;
    if (r->state == IN_HEAD) {
      take = read_head(r, bytes, n);
      if (!take) return BROKEN;
      if (r->state == IN_BODY && !r->close_delimited && !r->left) return WHOLE;
    } else if (r->state == IN_BODY || r->state == IN_CHUNK) {
      take = r->close_delimited || (size_t)r->left > n ? n : (size_t)r->left;
      read_body(r, bytes, take, now, late);
      if (!r->close_delimited) r->left -= (long long)take;
      if (!r->close_delimited && !r->left) {
        if (r->state == IN_BODY) return WHOLE;
        r->state = CHUNK_CR;
      }
    } else {
      int verdict = read_framing(r, *bytes);
      if (verdict != MORE) return verdict;
      take = 1;
    }
    bytes += take;
    n -= take;
  }
  return MORE;
}

int end_of_input(const struct response *r) {
  return r->state == IN_BODY && r->close_delimited ? WHOLE : BROKEN;
}
