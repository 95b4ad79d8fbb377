/* What a healthy upstream of Anthropic's Messages says: a document, or a stream of named events.
 * Shapes follow the Anthropic API reference ("Create a Message", "Streaming messages"). One text
 * block, no faults but those of the socket; the usage is that of the plan.
 */
#define _GNU_SOURCE
#include "mock.h"
#include <stdio.h>
#include <string.h>

static void put_named(struct conn *c, const char *name, const char *data, size_t n) {
  char text[4096 + 512];
  int head = snprintf(text, 128, "event: %s\ndata: ", name);
  memcpy(text + head, data, n);
  memcpy(text + head + n, "\n\n", 2);
  put_framed(c, text, (size_t)head + n + 2);
}

static int write_head(struct conn *c, char *to, size_t room) {
  return snprintf(to, room,
                  "\"id\":\"msg_mock%012llu\",\"type\":\"message\",\"role\":\"assistant\","
                  "\"model\":\"%s\",",
                  (unsigned long long)c->serial, c->plan.model);
}

static void put_start(struct conn *c) {
  static const char BLOCK[] = "{\"type\":\"content_block_start\",\"index\":0,"
                              "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}";
  char to[1024];
  int n = snprintf(to, sizeof to, "{\"type\":\"message_start\",\"message\":{");
  n += write_head(c, to + n, 512);
  n += snprintf(to + n, 400,
                "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":"
                "{\"input_tokens\":%lld,\"cache_read_input_tokens\":%lld,\"output_tokens\":1}}}",
                c->plan.in_tokens - c->plan.cached_tokens, c->plan.cached_tokens);
  put_named(c, "message_start", to, (size_t)n);
  put_named(c, "content_block_start", BLOCK, sizeof BLOCK - 1);
}

void put_messages_piece(struct conn *c) {
  static const char DELTA[] = "{\"type\":\"content_block_delta\",\"index\":0,"
                              "\"delta\":{\"type\":\"text_delta\",\"text\":\"";
  char to[4096];
  size_t n = sizeof DELTA - 1;
  if (c->plan.pad > 3000) c->plan.pad = 3000;
  if (c->sent == 0) put_start(c);
  memcpy(to, DELTA, n);
  n += write_text(c, c->sent, to + n);
  memcpy(to + n, "\"}}", 3);
  put_named(c, "content_block_delta", to, n + 3);
  c->sent++;
  counts.chunks++;
}

void put_messages_tail(struct conn *c) {
  static const char STOP[] = "{\"type\":\"content_block_stop\",\"index\":0}";
  char to[256];
  put_named(c, "content_block_stop", STOP, sizeof STOP - 1);
  int n = snprintf(to, sizeof to,
                   "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
                   "\"stop_sequence\":null},\"usage\":{\"output_tokens\":%lld}}",
                   c->plan.out_tokens);
  put_named(c, "message_delta", to, (size_t)n);
  put_named(c, "message_stop", "{\"type\":\"message_stop\"}", 23);
}

size_t write_message(struct conn *c, char *to) {
  size_t n = 1;
  to[0] = '{';
  n += (size_t)write_head(c, to + n, 512);
  n += (size_t)snprintf(to + n, 64, "\"content\":[{\"type\":\"text\",\"text\":\"");
  n += write_all_text(c, to + n);
  n += (size_t)snprintf(to + n, 512,
                        "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":"
                        "{\"input_tokens\":%lld,\"output_tokens\":%lld}}",
                        c->plan.in_tokens, c->plan.out_tokens);
  c->sent = c->plan.pieces;
  return n;
}
