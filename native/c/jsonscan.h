/* The incremental JSON scanner: pushes bytes in any split, acts where the path table says.
 *
 * Invariants: the result depends on the bytes alone, never on how they were split; the state is a
 * few hundred bytes whatever the input (nesting is kept exactly to 512 levels; what lies deeper is
 * only bracket-counted); nothing is allocated per event or per byte (buffers for captures, for
 * texts that wait for their choice and for choices are made at first use, and bounded). Invalid
 * JSON marks the event malformed; it never fails. Text is delivered as it is read, so what a
 * malformed event held before its fault has been counted; captures and flags take effect only at
 * the end of a well-formed event. Duplicate keys: the last wins for captures.
 * This file must know nothing of SSE, of Python, of prices. Grammar: RFC 8259. */
#ifndef TALLYGATE_JSONSCAN_H
#define TALLYGATE_JSONSCAN_H

#include <stddef.h>
#include <stdint.h>

#include "jsonpath.h"

enum {
    JS_EXACT_DEPTH = 512, /* levels whose brackets are matched exactly */
    JS_PATH_DEPTH = 64,   /* levels at which keys are looked up */
    JS_SMALL_MAX = 128,   /* longest key, type or model name that is looked at, bytes */
    JS_CAPTURE_MAX = 4096,
    JS_PENDING_MAX = 8192, /* text that waits for its choice or type, bytes */
    JS_MEMO_MAX = 384,     /* longest beginning of an event that is remembered, bytes */
    JS_REST_MAX = 192,     /* longest rest of an event that is remembered, bytes */
    JS_MEMO_DEPTH = 16
};

/* One choice of the answer. The owner of the scanner keeps `counter` and `mark`. */
typedef struct js_voice {
    void *counter;
    int64_t mark;
    uint16_t high;     /* a high surrogate that waits for its low half, or 0 */
    uint8_t high_kind;
    uint8_t kind;      /* kind of the last text, kept by the text function */
    uint8_t fresh;     /* the next text is a new one although the kind is the same */
} js_voice;

/* Receives decoded text of a choice: UTF-8, n > 0, valid for the call only. */
typedef void (*js_text_fn)(void *context, js_voice *voice, int kind, const uint8_t *utf8, size_t n);

typedef struct js_buf {
    uint8_t *data;
    uint32_t len, cap;
    uint8_t present;  /* a value that is not null was begun */
    uint8_t overflow; /* the value was longer than JS_CAPTURE_MAX: data holds its beginning */
} js_buf;

/* The beginning of an event up to its first text, and the state after it; see jsonmemo.h. */
typedef struct js_memo {
    uint16_t len, flags;
    uint8_t have, kind, depth, tier_told, tier_len;
    uint8_t thought;
    uint32_t index, position, element_depth, part_depth;
    uint64_t is_object;
    const js_type *type;
    uint8_t node[JS_MEMO_DEPTH], tier[32];
    uint8_t bytes[JS_MEMO_MAX];
} js_memo;

/* The rest of such an event, after its text, and the state at its end; belongs to the memo. */
typedef struct js_rest {
    uint16_t len, flags;
    uint8_t have, thought, captured;
    uint32_t index, position, element_depth, part_depth;
    uint8_t bytes[JS_REST_MAX];
} js_rest;

typedef struct js_scan {
    const js_table *table;
    js_text_fn text;
    void *context;

    /* the parser */
    uint8_t state, number, literal_at, string_mode, unit_digits;
    uint8_t vnode;     /* node of the value to come */
    uint8_t small_to, small_over;
    uint16_t unit;
    uint32_t depth, small_len;
    uint64_t opaque;   /* brackets open below JS_EXACT_DEPTH */
    const char *literal;
    uint64_t is_object[JS_EXACT_DEPTH / 64 + 1];
    uint8_t node[JS_PATH_DEPTH];
    uint8_t small[JS_SMALL_MAX];

    /* the event */
    uint16_t flags;    /* js_flag */
    uint8_t have, track_number, kind;
    uint32_t position, index, element_depth, number_value;
    const js_type *type;
    uint8_t at_start;  /* no byte of the event was read yet */
    uint8_t captured;  /* some capture was begun in this event */
    uint8_t tier_told; /* the service tier was told in this event */
    const uint8_t *event_from;  /* the event's start, if in this feed and no text came yet */
    const uint8_t *terminal_at; /* just after the type that ended the stream; valid in its feed */

    /* captures: event[] is being written, kept[] is of the last well-formed event that had it */
    int8_t capture;    /* slot, JS_SLOTS for JS_RAW, or -1 */
    uint8_t capture_kind;
    uint32_t capture_depth;
    const uint8_t *capture_from;
    js_buf event[JS_SLOTS], kept[3]; /* usage, usage_start, error */
    uint8_t model_len, tier_len;
    uint8_t model[JS_SMALL_MAX], tier[32];

    /* choices and the texts that wait */
    js_voice *voices;
    uint32_t voice_count, voice_max;
    uint8_t *pending;
    uint32_t pending_len, pending_text, pending_last;

    /* the part of a message that is being read (Gemini) */
    uint8_t thought;     /* it is a thought */
    uint32_t part_depth; /* depth of the array of parts, or 0 outside one */
    uint32_t part_from;  /* where in `pending` its texts begin */

    /* totals */
    uint16_t seen;     /* flags of all well-formed events */
    uint8_t output;    /* some text was delivered */
    uint8_t usage_overflow;
    uint8_t failed;    /* memory ran out: counts are no longer complete */
    uint64_t usage_events, malformed_events;
    uint8_t memoed;            /* the event began as the memo says, and is still in its text */
    const uint8_t *rest_from;  /* the end of that text, if in this feed and all since was plain */
    js_memo memo;
    js_rest rest;
} js_scan;

/* max_choices >= 1; choices numbered beyond it share the last voice. */
void js_init(js_scan *j, const js_table *table, uint32_t max_choices, js_text_fn text, void *context);

/* Frees the buffers; the counters of the voices belong to the owner. */
void js_free(js_scan *j);

/* Scans the next n bytes of the event. */
void js_feed(js_scan *j, const uint8_t *p, size_t n);

/* True when the bytes so far are one whole JSON value. */
int js_complete(const js_scan *j);

/* True when the bytes so far cannot begin a JSON text. */
int js_is_bad(const js_scan *j);

/* Ends the event: commits its captures and flags, prepares for the next. Returns the event's
 * flags, or -1 when it was malformed. *usage tells whether it carried a usage object. */
int js_end(js_scan *j, int *usage);

/* Ends all texts: a high surrogate still waiting becomes U+FFFD. */
void js_finish(js_scan *j);

/* --- between jsonscan.c and jsontext.c --- */
void js_speak_run(js_scan *j, int kind, const uint8_t *p, size_t n);
void js_speak_unit(js_scan *j, int kind, uint32_t unit);
void js_speak_cut(js_scan *j, int kind);
void js_end_part(js_scan *j); /* what its texts are is known now */
void js_settle(js_scan *j, uint8_t have); /* more is known; deliver what waited for it */
void js_commit(js_scan *j, int *usage);
int js_buf_add(js_buf *b, const uint8_t *p, size_t n);

#endif
