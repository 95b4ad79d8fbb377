/* What a healthy upstream says: JSON documents, and event streams of one HTTP chunk an event.
 * Shapes follow the OpenAI API reference (chat completions, completions, embeddings); those of
 * Anthropic's Messages are in mock_messages.c. The parts
 * of an event that do not change within a stream are written once, into conn.prefix.
 */
#define _GNU_SOURCE
#include "mock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CREATED = 1700000000, STAMP = 18, PIECES_IN_TABLE = 12, EMBEDDING_SIZE = 16 };
static const char *const WORDS[4][PIECES_IN_TABLE] = {
    {" the", " quick", " brown", " fox", " jumps", " over", " a", " lazy", " dog", ",", " and",
     " rests"},
    {"你", "好", "，", "世界", "。", "今天", "天气", "很", "不错", "，我们", "出去", "走走"},
    {"def ", "f(x", "):", "\\n    ", "return", " x", " * ", "2", "\\n", "\\n", "print", "(f(3))"},
    {"😀", " 👍🏽", "🇪🇺", " é", "ñ", " ß", "👩‍👩‍👧", " →", " Ω", "🔥", " ∑", "…"}};

static size_t write_stamp(char *to) {
  uint64_t t = now_us();
  to[0] = to[STAMP - 1] = '@';
  for (int i = STAMP - 2; i > 0; i--, t /= 10) to[i] = (char)('0' + t % 10);
  return STAMP;
}

/* The text of piece k, JSON-escaped already. `room` is at least 512 + pad. */
size_t write_text(struct conn *c, int k, char *to) {
  const struct plan *p = &c->plan;
  size_t n = 0;
  if (p->stamped && (p->streaming || k == 0)) n += write_stamp(to);
  const char *word = WORDS[p->lang][k % PIECES_IN_TABLE];
  size_t len = strlen(word);
  memcpy(to + n, word, len);
  n += len;
  if (p->fault == F_BAD_UTF8 && k == p->at) {
    memcpy(to + n, "\xff\xfe\xc3(", 4);
    n += 4;
  }
  if (p->pad > 0) {
    memset(to + n, 'x', (size_t)p->pad);
    n += (size_t)p->pad;
  }
  return n;
}

/* All pieces at once. The words of the plan asked for last are kept, since a load test asks for
 * the same thousands of times; only the stamp is new. */
size_t write_all_text(struct conn *c, char *to) {
  static char kept[16 << 10];
  static size_t kept_len;
  static int kept_lang, kept_pieces;
  const struct plan *p = &c->plan;
  size_t n = 0;
  if (p->pad > 0 || p->fault == F_BAD_UTF8 || p->pieces > 512) {
    for (int k = 0; k < p->pieces; k++) n += write_text(c, k, to + n);
    return n;
  }
  if (!kept_len || kept_lang != p->lang || kept_pieces != p->pieces) {
    kept_lang = p->lang;
    kept_pieces = p->pieces;
    kept_len = 0;
    for (int k = 0; k < p->pieces; k++) {
      const char *word = WORDS[p->lang][k % PIECES_IN_TABLE];
      memcpy(kept + kept_len, word, strlen(word));
      kept_len += strlen(word);
    }
  }
  if (p->stamped) n = write_stamp(to);
  memcpy(to + n, kept, kept_len);
  return n + kept_len;
}

static size_t write_usage(const struct plan *p, char *to, size_t room) {
  long long in = p->in_tokens, out = p->out_tokens;
  switch (p->usage) {
  case U_NULL:
    return (size_t)snprintf(to, room, "\"usage\":null");
  case U_TEXT:
    return (size_t)snprintf(to, room, "\"usage\":\"lots\"");
  case U_PARTIAL:
    return (size_t)snprintf(to, room, "\"usage\":{\"total_tokens\":%lld}", in + out);
  case U_HUGE:
    return (size_t)snprintf(to, room, "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":"
                            "18446744073709551616,\"total_tokens\":18446744073709551736}", in);
  case U_NEGATIVE:
    out = -out;
    break;
  default:
    break;
  }
  return (size_t)snprintf(
      to, room,
      "\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
      "\"prompt_tokens_details\":{\"cached_tokens\":%lld,\"audio_tokens\":0},"
      "\"completion_tokens_details\":{\"reasoning_tokens\":%lld,\"audio_tokens\":0}}",
      in, out, in + out, p->cached_tokens, p->reasoning_tokens);
}

void put_framed(struct conn *c, const char *bytes, size_t n) {
  char size[24];
  size_t whole = n + (c->framing == FRAME_GZIP ? 5 : 0);
  int digits = snprintf(size, sizeof size, "%zx\r\n", whole);
  if (c->framing != FRAME_PLAIN) put(c, size, (size_t)digits);
  if (c->framing == FRAME_GZIP) { /* a stored block: RFC 1951, 3.2.4 */
    unsigned char block[5] = {0, (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)~n,
                              (unsigned char)(~n >> 8)};
    put(c, block, 5);
    c->crc = crc32_of(c->crc, bytes, n);
    c->plain_size += (uint32_t)n;
  }
  put(c, bytes, n);
  if (c->framing != FRAME_PLAIN) put(c, "\r\n", 2);
}

void put_event(struct conn *c, const char *data, size_t n) {
  static char *text;
  static size_t cap;
  if (n + 8 > cap) {
    cap = n + 4096;
    text = realloc(text, cap);
    if (!text) abort();
  }
  memcpy(text, "data: ", 6);
  memcpy(text + 6, data, n);
  memcpy(text + 6 + n, "\n\n", 2);
  put_framed(c, text, n + 8);
}

static void write_prefix(struct conn *c) {
  const struct plan *p = &c->plan;
  const char *kind = p->shape == COMPLETION ? "text_completion"
                     : p->streaming         ? "chat.completion.chunk"
                                            : "chat.completion";
  c->prefix_len = snprintf(c->prefix, sizeof c->prefix,
                           "{\"id\":\"chatcmpl-mock%012llu\",\"object\":\"%s\",\"created\":%d,"
                           "\"model\":\"%s\",\"system_fingerprint\":\"fp_mock\",\"choices\":[",
                           (unsigned long long)c->serial, kind, CREATED, p->model);
}

#define ADD(literal) (memcpy(to + n, literal, sizeof literal - 1), n += sizeof literal - 1)

static size_t write_delta(struct conn *c, int k, char *to) {
  const struct plan *p = &c->plan;
  size_t n = 0;
  if (p->shape == COMPLETION) {
    ADD("{\"index\":0,\"text\":\"");
    n += write_text(c, k, to + n);
    ADD("\",\"logprobs\":null,\"finish_reason\":null}]");
    return n;
  }
  ADD("{\"index\":0,\"delta\":{");
  if (k == 0) ADD("\"role\":\"assistant\",");
  if (p->tools) {
    ADD("\"tool_calls\":[{\"index\":0,");
    if (k == 0) ADD("\"id\":\"call_mock0001\",\"type\":\"function\",");
    ADD("\"function\":{");
    if (k == 0) ADD("\"name\":\"get_weather\",");
    ADD("\"arguments\":\"");
    if (k == 0) ADD("{\\\"city\\\":\\\"");
    n += write_text(c, k, to + n);
    if (k == p->pieces - 1) ADD("\\\"}");
    ADD("\"}}]");
  } else {
    ADD("\"content\":\"");
    n += write_text(c, k, to + n);
    ADD("\"");
  }
  ADD("},\"logprobs\":null,\"finish_reason\":null}]");
  return n;
}

static void put_piece(struct conn *c) {
  if (c->plan.shape == MESSAGES) {
    put_messages_piece(c);
    return;
  }
  static char *to;
  static size_t cap;
  size_t n = (size_t)c->prefix_len;
  const struct plan *p = &c->plan;
  if ((size_t)(p->pad > 0 ? p->pad : 0) + 4096 > cap) {
    cap = (size_t)(p->pad > 0 ? p->pad : 0) + 4096;
    to = realloc(to, cap);
    if (!to) abort();
  }
  memcpy(to, c->prefix, n);
  n += write_delta(c, c->sent, to + n);
  if (p->usage == U_EACH) {
    to[n++] = ',';
    n += write_usage(p, to + n, 400);
  } else if (p->wants_usage) {
    ADD(",\"usage\":null");
  }
  to[n++] = '}';
  if (p->fault == F_BAD_JSON && c->sent == p->at) n /= 2;
  put_event(c, to, n);
  c->sent++;
  counts.chunks++;
}

static void put_tail(struct conn *c) {
  const struct plan *p = &c->plan;
  char to[1024];
  size_t n = (size_t)c->prefix_len;
  if (p->shape == MESSAGES) {
    put_messages_tail(c);
    put_text(c, "0\r\n\r\n");
    return;
  }
  memcpy(to, c->prefix, n);
  if (p->shape == COMPLETION) ADD("{\"index\":0,\"text\":\"\",\"logprobs\":null,");
  else ADD("{\"index\":0,\"delta\":{},\"logprobs\":null,");
  if (p->tools) ADD("\"finish_reason\":\"tool_calls\"}]}");
  else ADD("\"finish_reason\":\"stop\"}]}");
  put_event(c, to, n);
  if (p->usage != U_OFF && p->usage != U_EACH && (p->usage != U_ASKED || p->wants_usage)) {
    n = (size_t)c->prefix_len;
    ADD("],");
    n += write_usage(p, to + n, 500);
    to[n++] = '}';
    put_event(c, to, n);
  }
  if (p->fault != F_NO_DONE) put_event(c, "[DONE]", 6);
  if (c->framing == FRAME_GZIP) { /* an empty final block, then RFC 1952, 2.3.1 */
    unsigned char end[13] = {1, 0, 0, 255, 255};
    memcpy(end + 5, &c->crc, 4);
    memcpy(end + 9, &c->plain_size, 4);
    put_text(c, "d\r\n");
    put(c, end, 13);
    put_text(c, "\r\n");
  }
  if (c->framing != FRAME_PLAIN && p->fault != F_CLOSE_END) put_text(c, "0\r\n\r\n");
}

void put_stream_head(struct conn *c, const char *framing_header) {
  put_text(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
              "Cache-Control: no-cache\r\nx-request-id: req_mock\r\n");
  put_text(c, framing_header);
  put_text(c, "\r\n");
}

int step_stream(struct conn *c) {
  int verdict;
  do {
    if (c->plan.fault && c->sent == c->plan.at && fault_in_stream(c, &verdict)) return verdict;
    if (c->sent < c->plan.pieces) put_piece(c);
    if (c->sent >= c->plan.pieces) {
      put_tail(c);
      return end_answer(c, END_WHOLE);
    }
    if (c->plan.gap_ms) wake_at(c, c->due_us + (uint64_t)c->plan.gap_ms * 1000u);
  } while (!c->plan.gap_ms && queued(c) < OUT_HIGH);
  return KEEP;
}

/* The end of an answer: the next request on the connection may be taken. */
int end_answer(struct conn *c, int how) {
  int fault = c->plan.fault;
  c->step = NULL;
  journal_end(c, how);
  if (c->framing == FRAME_PLAIN || fault == F_CLOSE_END || fault == F_CLOSE_IDLE) return HANG_UP;
  return c->close_after ? HANG_UP : KEEP;
}

void put_document(struct conn *c, const char *status, const char *extra, const char *body,
                  size_t n) {
  put_format(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
             status, extra, n);
  put(c, body, n);
}

/* The whole JSON answer of this plan, in memory that stays valid until the next call. */
size_t write_document(struct conn *c, char **body) {
  static char *to;
  static size_t cap;
  const struct plan *p = &c->plan;
  size_t room = (size_t)p->pieces * (64u + (size_t)(p->pad > 0 ? p->pad : 0)) + 4096, n;
  if (room > cap) {
    cap = room;
    to = realloc(to, cap);
    if (!to) abort();
  }
  *body = to;
  if (p->shape == EMBEDDING) {
    n = (size_t)snprintf(to, cap, "{\"object\":\"list\",\"model\":\"%s\",\"data\":[{\"object\":"
                         "\"embedding\",\"index\":0,\"embedding\":[", p->model);
    for (int i = 0; i < EMBEDDING_SIZE; i++)
      n += (size_t)snprintf(to + n, 16, "%s0.%03d", i ? "," : "", i * 37 % 1000);
    ADD("]}]");
    if (p->usage != U_OFF)
      n += (size_t)snprintf(to + n, 128, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":"
                            "%lld}", p->in_tokens, p->in_tokens);
    to[n++] = '}';
    return n;
  }
  if (p->shape == MESSAGES) return write_message(c, to);
  memcpy(to, c->prefix, n = (size_t)c->prefix_len);
  if (p->shape == COMPLETION) ADD("{\"index\":0,\"text\":\"");
  else if (p->tools)
    ADD("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
        "\"call_mock0001\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
        "\"arguments\":\"{\\\"city\\\":\\\"");
  else ADD("{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
  n += write_all_text(c, to + n);
  if (p->shape == COMPLETION) ADD("\",\"logprobs\":null,\"finish_reason\":\"stop\"}]");
  else if (p->tools) ADD("\\\"}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"}]");
  else ADD("\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]");
  if (p->usage != U_OFF) {
    to[n++] = ',';
    n += write_usage(p, to + n, 500);
  }
  to[n++] = '}';
  if (p->fault == F_BAD_JSON) n /= 2;
  c->sent = p->pieces;
  return n;
}

int begin_answer(struct conn *c) {
  int verdict = KEEP;
  char *body;
  size_t n;
  c->step = NULL;
  write_prefix(c);
  if (fault_before_body(c, &verdict)) return verdict;
  if (c->plan.streaming) {
    put_stream_head(c, c->framing == FRAME_PLAIN ? "" : "Transfer-Encoding: chunked\r\n");
    c->step = step_stream;
    c->due_us = now_us();
    return KEEP;
  }
  n = write_document(c, &body);
  put_document(c, "200 OK", "x-request-id: req_mock\r\n", body, n);
  return end_answer(c, END_WHOLE);
}

int answer(struct conn *c) {
  c->sent = 0;
  c->progress = 0;
  c->framing = FRAME_CHUNKED;
  journal_begin(c);
  if (!c->plan.wait_ms) return begin_answer(c);
  c->step = begin_answer;
  wake_at(c, now_us() + (uint64_t)c->plan.wait_ms * 1000u);
  return KEEP;
}
