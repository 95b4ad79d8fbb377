/* What happened, in bounded rings, and the GET side that tells it: /stats /aborts /requests /last
 * and /models. /requests?after=SERIAL returns at most PAGE entries, oldest first; a reader that
 * asks again with the last serial it saw loses nothing while the ring holds KEPT entries.
 */
#define _GNU_SOURCE
#include "mock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 1 << 16, PAGE = 4096, ENTRY_TEXT = 320, LAST_SIZE = 256 << 10, IDS = 4096 };

struct entry {
  uint64_t serial, begun_us, ended_us, connection;
  long long out_tokens;
  int sent, pieces, status, streaming, how;
  char id[ID_SIZE];
};
struct counts counts;
static struct entry ring[KEPT];
static uint64_t last_serial;
static char last[LAST_SIZE];
static size_t last_len;
static struct { char id[ID_SIZE]; int n; } attempts[IDS];
static const char *const ENDINGS[] = {"whole", "aborted", "fault", "open"};

void journal_begin(struct conn *c) {
  c->serial = ++last_serial;
  counts.requests++;
  if (c->plan.streaming) counts.streams++;
  if (++counts.active > counts.max_active) counts.max_active = counts.active;
  struct entry *e = &ring[c->serial % KEPT];
  *e = (struct entry){.serial = c->serial, .begun_us = now_us(), .connection = c->number,
                      .out_tokens = c->plan.out_tokens, .pieces = c->plan.pieces,
                      .status = c->plan.status, .streaming = c->plan.streaming, .how = 3};
  memcpy(e->id, c->plan.id, ID_SIZE);
}

void journal_end(struct conn *c, int how) {
  if (!c->serial) return;
  struct entry *e = &ring[c->serial % KEPT];
  if (e->serial == c->serial) {
    e->ended_us = now_us();
    e->sent = c->sent;
    e->how = how;
  }
  if (how == END_WHOLE) counts.completed++;
  else if (how == END_ABORTED) counts.aborted++;
  else counts.faulted++;
  counts.active--;
  c->serial = 0;
}

/* How many requests with this id came so far, this one included; bounded. */
int attempts_of(const char *id) {
  uint32_t hash = 2166136261u;
  for (const char *p = id; *p; p++) hash = (hash ^ (uint8_t)*p) * 16777619u;
  uint32_t slot = hash % IDS;
  for (uint32_t i = 0; i < 8; i++) {
    uint32_t at = (hash + i) % IDS;
    if (!strcmp(attempts[at].id, id) && attempts[at].n) return ++attempts[at].n;
    if (!attempts[at].n) {
      slot = at;
      break;
    }
  }
  snprintf(attempts[slot].id, ID_SIZE, "%s", id);
  return attempts[slot].n = 1;
}

void keep_last(const char *head, size_t head_len, const char *body, size_t body_len) {
  if (!strncmp(head, "GET ", 4) && strncmp(head, "GET /v1/", 8)) return;
  last_len = 0;
  if (head_len + 4 > LAST_SIZE) return;
  if (body_len > LAST_SIZE - head_len - 4) body_len = LAST_SIZE - head_len - 4;
  memcpy(last, head, head_len);
  memcpy(last + head_len, "\r\n\r\n", 4);
  memcpy(last + head_len + 4, body, body_len);
  last_len = head_len + 4 + body_len;
}

static size_t write_entries(char *to, uint64_t after, int only_aborted) {
  size_t n = 1;
  int written = 0;
  uint64_t first = last_serial >= KEPT ? last_serial - KEPT + 1 : 1;
  if (after + 1 > first) first = after + 1;
  to[0] = '[';
  for (uint64_t s = first; s <= last_serial && written < PAGE; s++) {
    const struct entry *e = &ring[s % KEPT];
    if (only_aborted && e->how != END_ABORTED) continue;
    n += (size_t)snprintf(
        to + n, ENTRY_TEXT,
        "%s{\"serial\":%llu,\"id\":\"%s\",\"connection\":%llu,\"begun_us\":%llu,\"ended_us\":%llu,"
        "\"streaming\":%s,\"status\":%d,\"pieces\":%d,\"sent\":%d,\"out_tokens\":%lld,"
        "\"end\":\"%s\"}",
        written++ ? "," : "", (unsigned long long)e->serial, e->id,
        (unsigned long long)e->connection, (unsigned long long)e->begun_us,
        (unsigned long long)e->ended_us, e->streaming ? "true" : "false", e->status, e->pieces,
        e->sent, e->out_tokens, ENDINGS[e->how]);
  }
  to[n++] = ']';
  return n;
}

static size_t write_stats(char *to, size_t room) {
  const struct counts *k = &counts;
  return (size_t)snprintf(
      to, room,
      "{\"requests\":%llu,\"streams\":%llu,\"completed\":%llu,\"aborted\":%llu,\"faulted\":%llu,"
      "\"chunks\":%llu,\"connections\":%llu,\"open\":%llu,\"active\":%llu,\"max_active\":%llu,"
      "\"now_us\":%llu,\"serial\":%llu}",
      (unsigned long long)k->requests, (unsigned long long)k->streams,
      (unsigned long long)k->completed, (unsigned long long)k->aborted,
      (unsigned long long)k->faulted, (unsigned long long)k->chunks,
      (unsigned long long)k->connections, (unsigned long long)k->open,
      (unsigned long long)k->active, (unsigned long long)k->max_active,
      (unsigned long long)now_us(), (unsigned long long)last_serial);
}

int answer_get(struct conn *c, const char *path) {
  static char text[PAGE * ENTRY_TEXT + 64];
  static const char MODELS[] =
      "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o-mini\",\"object\":\"model\","
      "\"created\":1700000000,\"owned_by\":\"mock\"}]}";
  const char *space = strchr(path, ' '), *query = strstr(path, "after="), *status = "200 OK";
  size_t path_len = space ? (size_t)(space - path) : strlen(path), n;
  uint64_t after = query ? strtoull(query + 6, NULL, 10) : 0;
  if (!strncmp(path, "/stats", 6)) n = write_stats(text, sizeof text);
  else if (!strncmp(path, "/aborts", 7)) n = write_entries(text, after, 1);
  else if (!strncmp(path, "/requests", 9)) n = write_entries(text, after, 0);
  else if (!strncmp(path, "/last", 5)) memcpy(text, last, n = last_len);
  else if (path_len >= 7 && !memcmp(path + path_len - 7, "/models", 7))
    memcpy(text, MODELS, n = sizeof MODELS - 1);
  else {
    status = "404 Not Found";
    n = (size_t)snprintf(text, sizeof text, "{\"error\":{\"message\":\"no such path\"}}");
  }
  put_document(c, status, "", text, n);
  return c->close_after ? HANG_UP : KEEP;
}
