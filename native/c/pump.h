/* Carries running streams from provider to client on a thread of its own.
 *
 * A lane is one stream: bytes are read from one socket, their HTTP framing is followed, the meter
 * sees each piece of the body, and what may pass as it stands is written to the other socket in the
 * same turn. At anything else (an event that must not pass as it is, a count that was asked to be
 * told of, a client that takes no more, an end or an error) the lane comes home: it is left as it
 * is, with the bytes that are still to be dealt with, and its owner is told by a descriptor.
 *
 * Invariants: what a lane names (framing, meter, both sockets) is touched by this thread alone from
 * pump_add until the lane is home, and never after; bytes leave in the order they came; a lane holds
 * at most one read's bytes. Every wait is in epoll_wait. Nothing here knows of Python, JSON, models or
 * money; the meter is two functions. Needs epoll, so Linux: elsewhere pump_open gives NULL. */
#ifndef TALLYGATE_PUMP_H
#define TALLYGATE_PUMP_H

#include <stddef.h>
#include <stdint.h>

#include "http1.h"

enum {
    PUMP_READ_MAX = 65536, /* bytes of one read */
    PUMP_LAST = 4,         /* bytes kept of what the client was sent last */
    PUMP_PASSED = -1       /* of pump_pass: all bytes may go to the client as they are */
};

/* Shows the meter a piece of the body. PUMP_PASSED, or a code, with *used bytes looked at. */
typedef int (*pump_pass)(void *meter, const uint8_t *p, size_t n, size_t *used);

/* What the meter has counted. */
typedef int64_t (*pump_count)(void *meter);

typedef enum pump_why {
    PUMP_ON,      /* nothing is the matter: it goes on */
    PUMP_TAKEN,   /* its owner took it */
    PUMP_MARKED,  /* the meter gave a code: `piece` is where, and `rest` follows */
    PUMP_COUNTED, /* the count has reached `stop_at` */
    PUMP_FULL,    /* the client takes no more for now */
    PUMP_FRAMED,  /* the framing has come to its end, or is wrong */
    PUMP_CLOSED,  /* the provider's side is closed or broken: the next read will tell */
    PUMP_LOST     /* memory ran out: bytes are missing, the stream must not go on */
} pump_why;

typedef struct pump_lane {
    /* set before pump_add */
    h1_body *body;
    pump_pass pass;
    pump_count count;
    void *meter, *owner;
    int from, to;
    int elsewhere;         /* an epoll set that also has `from` and shall lose it, or -1 */
    int64_t stop_at;       /* may be raised at any time, by an atomic store */

    /* to be read when it is home */
    pump_why why;
    int code;              /* of the meter, with `used` of the piece's bytes looked at */
    size_t used;
    uint8_t *left;         /* framed bytes not yet sent, the marked piece, raw bytes behind it */
    size_t unsent, piece, rest;
    uint8_t extra;         /* bytes came after the framing's end */
    uint8_t broken;        /* closed by an error, which nobody is told of twice */
    uint8_t last[PUMP_LAST];
    uint32_t last_size;

    uint64_t reads;        /* both grow; may be loaded at any time, atomically */
    int64_t counted;       /* what `count` said last */

    /* the pump's */
    uint8_t where;
    uint32_t slot;
    struct pump_lane *next, *before;
} pump_lane;

typedef struct pump_thread pump_thread;

/* NULL: there is no epoll here, or the system gives no descriptor or memory. */
pump_thread *pump_open(void);

/* Frees it. The thread has left pump_run, and no lane is away. */
void pump_close(pump_thread *p);

/* The thread's work: carries lanes until pump_stop. */
void pump_run(pump_thread *p);
void pump_stop(pump_thread *p);

/* Readable while lanes have come home that pump_next has not given. */
int pump_descriptor(const pump_thread *p);

/* The owner's side of the lock: taken by one thread, around what follows. Between two turns of the
 * thread a waiting owner comes first, so the wait is one turn. pump_try gives 0 instead of waiting. */
int pump_try(pump_thread *p);
void pump_enter(pump_thread *p);
void pump_leave(pump_thread *p);

/* Sends a lane away. False: it stays home. */
int pump_add(pump_thread *p, pump_lane *lane);

/* Takes a lane home, whether it is away or came home of itself. */
void pump_take(pump_thread *p, pump_lane *lane);

/* A lane that came home of itself, or NULL. */
pump_lane *pump_next(pump_thread *p);

/* Forgets what a lane has left. */
void pump_clear(pump_lane *lane);

/* --- between pump.c and pump_turn.c --- */
typedef struct pump_room {
    uint8_t in[PUMP_READ_MAX];
    uint8_t out[H1_MAX_SIZE_LINE + PUMP_READ_MAX + 2];
} pump_room;

/* One turn of a lane whose provider has sent something: reads once, *size bytes, and writes at most
 * once. PUMP_ON, or why it must come home. */
pump_why pump_turn(pump_lane *lane, pump_room *room, size_t *size);

#endif
