/* The incremental splitter of server-sent events: bytes in, decisions about events out.
 *
 * Invariants: decisions depend on the bytes alone, never on the split (but for how much of an event
 * had passed before it began to tell an error); no buffer is kept (data goes straight to the JSON
 * scanner) and nothing is copied: the caller holds the bytes it is told to hold. An event is
 * everything from the end of the previous blank line to the end of its own, comments included; lines
 * end at LF, CRLF or CR (WHATWG HTML, "server-sent events"), a byte order mark before the first line
 * is no part of it. This file must know nothing of Python or prices. */
#ifndef TALLYGATE_SSE_H
#define TALLYGATE_SSE_H

#include <stddef.h>
#include <stdint.h>

#include "jsonscan.h"

enum {
    SSE_HOLD_MAX = 16384, /* an undecided event longer than this is passed, whatever it becomes */
    SSE_NAME_MAX = 24     /* longest event name that matters, bytes */
};

typedef enum sse_code {
    SSE_MORE,    /* all bytes consumed */
    SSE_REMOVED, /* an event just ended that the client must not get: event_len bytes */
    SSE_LF,      /* the byte just consumed ends the CRLF of the removed event before it */
    SSE_ENDING,  /* the terminal event is recognised; the last `back` bytes and all after are held */
    SSE_DONE     /* the terminal event just ended */
} sse_code;

typedef struct sse_scan {
    js_scan *json;
    uint64_t carry;     /* bytes of the present event so far */
    uint64_t event_len; /* of the event that ended last */
    uint64_t back;      /* after SSE_ENDING: how far behind the consumed point the holding begins */
    uint64_t events;    /* events with data */
    uint8_t line, match, bom;
    uint8_t lf;         /* the last byte was a CR: an LF now belongs to it */
    uint8_t removed;    /* the last event was removed */
    uint8_t has_data, marker;
    uint8_t remove_usage, ending, done;
    uint8_t name_len;
    uint8_t name[SSE_NAME_MAX];
} sse_scan;

void sse_init(sse_scan *s, js_scan *json, int remove_usage);

/* Consumes bytes until something must be decided; *used tells how many. Never call it after
 * SSE_DONE. */
sse_code sse_feed(sse_scan *s, const uint8_t *p, size_t n, size_t *used);

/* True when the bytes of the unfinished event must be held back for now: what it is may still be
 * undecided, or it tells an error, of which the rest is withheld until it is whole. */
int sse_must_hold(const sse_scan *s);

/* The upstream's end. An unfinished event whose JSON is whole is still read. Returns true when
 * bytes stand after the last blank line. */
int sse_finish(sse_scan *s);

#endif
