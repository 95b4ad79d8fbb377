/* The states of the incremental scanner and the few steps that every part of it takes.
 *
 * Included by the parts of jsonscan.c alone. */
#ifndef TALLYGATE_JSONSTATE_H
#define TALLYGATE_JSONSTATE_H

#include "jsonlex.h"
#include "jsonscan.h"

enum state {
    VALUE,         /* a value must come */
    FIRST_VALUE,   /* after '[': a value or ']' */
    FIRST_KEY,     /* after '{': a key or '}' */
    KEY,           /* after ',' in an object */
    COLON,
    AFTER,         /* after a value in a container */
    STRING, ESCAPE, UNIT,
    NUMBER, LITERAL,
    OPAQUE, OPAQUE_STRING, OPAQUE_ESCAPE,
    WHOLE,         /* the root value is complete */
    BAD
};

enum number { MINUS, ZERO, INTEGER, POINT, FRACTION, EXPONENT, SIGN, POWER };
enum string_mode { IS_SKIPPED, IS_KEY, IS_SMALL, IS_TEXT };

static inline int in_object(const js_scan *j)
{
    return (int)(j->is_object[j->depth >> 6] >> (j->depth & 63) & 1);
}

/* The path node of the innermost open container; 0 beyond the depth where keys matter. */
static inline uint8_t open_node(const js_scan *j)
{
    return LEX_LIKELY(j->depth < JS_PATH_DEPTH) ? j->node[j->depth] : 0;
}

static inline void capture_piece(js_scan *j, const uint8_t *to)
{
    size_t n = (size_t)(to - j->capture_from);
    if (j->capture == JS_SLOTS)
        js_speak_run(j, j->capture_kind, j->capture_from, n);
    else if (!js_buf_add(&j->event[j->capture], j->capture_from, n))
        j->failed = 1;
}

/* The byte at p makes the text no JSON. Raw text already passed is delivered, as it would have been
 * at any other split. */
static inline const uint8_t *bad(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    j->state = BAD;
    if (j->capture == JS_SLOTS)
        capture_piece(j, p);
    j->capture = -1;
    return end;
}

/* The value that ends just before p is complete. */
static inline void end_value(js_scan *j, const uint8_t *p)
{
    if (LEX_UNLIKELY(j->capture >= 0) && j->depth == j->capture_depth) {
        capture_piece(j, p);
        if (j->capture == JS_SLOTS)
            js_speak_cut(j, j->capture_kind);
        j->capture = -1;
    }
    j->state = j->depth ? AFTER : WHOLE;
}

#endif
