/* The mock upstream: shared types. One thread, one epoll set, loopback only.
 *
 * A connection is either reading a request (step == NULL) or answering one. An answer longer than
 * one write is a `step` function, called when `due_us` has come or when the socket took what was
 * queued; it returns KEEP (call me again), WAIT (until the peer acts), HANG_UP (send FIN once
 * drained) or RESET (send RST at once).
 * Output is bounded: a step that finds more than OUT_HIGH bytes queued must wait for the drain.
 */
#ifndef TALLYGATE_MOCK_H
#define TALLYGATE_MOCK_H
#include <stddef.h>
#include <stdint.h>

enum { KEEP, WAIT, HANG_UP, RESET };
enum { END_WHOLE, END_ABORTED, END_FAULT };
enum { FRAME_CHUNKED, FRAME_PLAIN, FRAME_GZIP };
enum { IN_LIMIT = 72 << 20, HEAD_LIMIT = 128 << 10, OUT_HIGH = 256 << 10, ID_SIZE = 48 };

enum fault {
  F_NONE, F_HANG, F_HANG_MID, F_RESET, F_RESET_HEAD, F_RESET_BODY, F_RESET_MID, F_CLOSE,
  F_CLOSE_MID, F_CLOSE_END, F_CLOSE_IDLE, F_HALF_CHUNK, F_BAD_CHUNK, F_LONG_LENGTH, F_SHORT_LENGTH,
  F_BAD_UTF8, F_BAD_JSON, F_ERROR_200, F_ERROR_MID, F_NO_DONE, F_GZIP, F_REDIRECT, F_HUGE_LINE,
  F_SLOW_HEAD, F_BIG_HEAD, F_INFO_FLOOD, F_JUNK, F_EMPTY, F_HTML, F_NO_LENGTH, F_COUNT
};
enum usage {
  U_ASKED, U_OFF, U_ON, U_EACH, U_NEGATIVE, U_HUGE, U_NULL, U_TEXT, U_PARTIAL, U_COUNT
};
enum shape { CHAT, COMPLETION, EMBEDDING, MESSAGES };

/* What one request asks for; defaults, then the directive found in its text. */
struct plan {
  int shape, streaming, wants_usage, pieces, gap_ms, wait_ms, lang, tools, stamped, drip, pad;
  int status, retry_after_s, at, megabytes, fail_times;
  int fault, usage;
  long long in_tokens, out_tokens, cached_tokens, reasoning_tokens;
  char id[ID_SIZE], model[96];
};

struct buffer { char *data; size_t len, cap; };

struct conn {
  int fd, slot, want_write, closing, close_after, sent, framing, continued;
  int (*step)(struct conn *);
  uint64_t due_us, number;
  uint64_t serial;            /* of the answer being given; 0 between answers */
  struct buffer in, out;
  size_t out_at, scanned;
  long long progress;
  uint32_t crc, plain_size;   /* of the gzip member being sent */
  struct plan plan;
  char prefix[320];
  int prefix_len;
};

/* mock.c: the loop, its timers and its writes */
uint64_t now_us(void);
void put(struct conn *c, const void *bytes, size_t n);
void put_text(struct conn *c, const char *text);
void put_format(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t queued(const struct conn *c);
void wake_at(struct conn *c, uint64_t due_us);
void sleep_forever(struct conn *c);
int mock_port(void);

/* mock_request.c: bytes to a plan */
int take_request(struct conn *c);
void read_directive(struct plan *p, const char *body, size_t n);

/* mock_answer.c: what a healthy upstream says */
int answer(struct conn *c);
int begin_answer(struct conn *c);
int step_stream(struct conn *c);
void put_stream_head(struct conn *c, const char *framing_header);
void put_event(struct conn *c, const char *data, size_t n);
void put_framed(struct conn *c, const char *bytes, size_t n);
void put_document(struct conn *c, const char *status, const char *extra, const char *body,
                  size_t n);
size_t write_document(struct conn *c, char **body);
int end_answer(struct conn *c, int how);
size_t write_text(struct conn *c, int k, char *to);
size_t write_all_text(struct conn *c, char *to);

/* mock_messages.c: the same of Anthropic's Messages */
void put_messages_piece(struct conn *c);
void put_messages_tail(struct conn *c);
size_t write_message(struct conn *c, char *to);

/* mock_fault.c: what an ill one does; both return 1 when they took the answer over */
int fault_before_body(struct conn *c, int *verdict);
int fault_in_stream(struct conn *c, int *verdict);
uint32_t crc32_of(uint32_t crc, const void *bytes, size_t n);
extern const char *const FAULT_NAMES[F_COUNT];
extern const char *const USAGE_NAMES[U_COUNT];

/* mock_journal.c: what happened, in bounded rings */
struct counts {
  uint64_t requests, streams, completed, aborted, faulted, chunks, connections, open, active,
      max_active;
};
extern struct counts counts;
void journal_begin(struct conn *c);
void journal_end(struct conn *c, int how);
int attempts_of(const char *id);
void keep_last(const char *head, size_t head_len, const char *body, size_t body_len);
int answer_get(struct conn *c, const char *path);
#endif
