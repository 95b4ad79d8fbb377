/* One turn of a lane; see pump.h. */
#include "pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

void pump_clear(pump_lane *lane)
{
    free(lane->left);
    lane->left = NULL;
    lane->unsent = lane->piece = lane->rest = 0;
}

/* Keeps bytes that are still to be dealt with, in the order they will be. */
static int leave(pump_lane *l, const uint8_t *unsent, size_t n_unsent, const uint8_t *piece,
                 size_t n_piece, const uint8_t *rest, size_t n_rest)
{
    l->left = malloc(n_unsent + n_piece + n_rest + 1);
    if (!l->left)
        return 0;
    l->unsent = n_unsent;
    l->piece = n_piece;
    l->rest = n_rest;
    if (n_unsent)
        memcpy(l->left, unsent, n_unsent);
    if (n_piece)
        memcpy(l->left + n_unsent, piece, n_piece);
    if (n_rest)
        memcpy(l->left + n_unsent + n_piece, rest, n_rest);
    return 1;
}

static void remember(pump_lane *l, const uint8_t *p, size_t n)
{
    l->last_size = n < PUMP_LAST ? (uint32_t)n : PUMP_LAST;
    memcpy(l->last, p + n - l->last_size, l->last_size);
}

/* To the client, at once: how much it took. */
static size_t give(const pump_lane *l, const uint8_t *p, size_t n)
{
    ssize_t sent = n ? send(l->to, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    return sent < 0 ? 0 : (size_t)sent;
}

/* What came of a read: framed bytes that may go, then the marked piece, then raw bytes behind it. */
typedef struct outcome {
    const uint8_t *out, *piece, *rest;
    size_t size, n_piece, n_rest;
    pump_why why;
} outcome;

static pump_why conclude(pump_lane *l, outcome o)
{
    size_t sent = give(l, o.out, o.size);
    if (sent < o.size && o.why == PUMP_ON)
        o.why = PUMP_FULL;
    if (o.why == PUMP_ON) {
        int64_t counted = l->count(l->meter);
        __atomic_store_n(&l->counted, counted, __ATOMIC_RELAXED);
        return counted >= __atomic_load_n(&l->stop_at, __ATOMIC_RELAXED) ? PUMP_COUNTED : PUMP_ON;
    }
    if (o.size) /* null may stand for nothing */
        o.out += sent;
    if (sent < o.size || o.n_piece || o.n_rest)
        if (!leave(l, o.out, o.size - sent, o.piece, o.n_piece, o.rest, o.n_rest))
            return PUMP_LOST;
    return o.why;
}

/* The bytes that passed become one chunk; they stand in `out` behind room for its size. */
static void frame(pump_room *room, size_t filled, outcome *o)
{
    uint8_t *body = room->out + H1_MAX_SIZE_LINE, *start;
    if (filled == 0)
        return;
    start = h1_size_line(body, filled);
    memcpy(body + filled, "\r\n", 2);
    o->out = start;
    o->size = (size_t)(body + filled + 2 - start);
}

static int is_framed(const h1_body *body)
{
    return body->state == H1_DONE || body->state == H1_FAILED
        || body->overhead > H1_MAX_OVERHEAD;
}

/* A read of any framing: the pieces of its body go on as one chunk. */
static pump_why turn_of_pieces(pump_lane *l, pump_room *room, size_t n)
{
    outcome o = {.why = PUMP_ON};
    uint8_t *body = room->out + H1_MAX_SIZE_LINE;
    size_t at = 0, filled = 0, len = 0;
    while (at < n && o.why == PUMP_ON) {
        at += h1_next(l->body, room->in + at, n - at, &len);
        if (len) {
            l->code = l->pass(l->meter, room->in + at - len, len, &l->used);
            if (l->code != PUMP_PASSED) {
                o = (outcome){.piece = room->in + at - len, .n_piece = len, .rest = room->in + at,
                              .n_rest = n - at, .why = PUMP_MARKED};
                break;
            }
            memcpy(body + filled, room->in + at - len, len);
            filled += len;
        }
        if (is_framed(l->body)) {
            l->extra = at < n;
            o.why = PUMP_FRAMED;
        }
    }
    if (filled)
        remember(l, body, filled);
    frame(room, filled, &o);
    return conclude(l, o);
}

pump_why pump_turn(pump_lane *l, pump_room *room, size_t *read)
{
    size_t size = 0, at;
    ssize_t n = recv(l->from, room->in, PUMP_READ_MAX, MSG_DONTWAIT);
    *read = n > 0 ? (size_t)n : 0;
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return PUMP_ON;
        l->broken = n < 0;
        return PUMP_CLOSED;
    }
    __atomic_store_n(&l->reads, l->reads + 1, __ATOMIC_RELAXED);
    at = h1_lone_chunk(l->body, room->in, (size_t)n, &size);
    if (at == 0)
        return turn_of_pieces(l, room, (size_t)n);
    l->code = l->pass(l->meter, room->in + at, size, &l->used);
    if (l->code != PUMP_PASSED)
        return conclude(l, (outcome){.piece = room->in + at, .n_piece = size, .why = PUMP_MARKED});
    remember(l, room->in + at, size); /* one chunk goes on in the provider's own framing */
    return conclude(l, (outcome){.out = room->in, .size = (size_t)n, .why = PUMP_ON});
}
