/* What the chunks of one stream have in common is read once.
 *
 * Consecutive chunks differ little before their text (id, model, time and choice are the same), so
 * the bytes from an event's start to its first text are kept with the parser's state after them;
 * an event that begins with the same bytes takes that state over. This changes no result: up to
 * there the state is a function of these bytes, and nothing was delivered or captured. It is worth
 * about two thirds of a chunk's time. Included by jsonscan.c alone. */
#ifndef TALLYGATE_JSONMEMO_H
#define TALLYGATE_JSONMEMO_H

#include "jsonstate.h"

/* The first text of the event begins at p, just after its opening quote. */
static inline void memo_save(js_scan *j, const uint8_t *p)
{
    js_memo *m = &j->memo;
    size_t n = (size_t)(p - j->event_from);
    j->event_from = NULL;
    if (n > JS_MEMO_MAX || j->depth >= JS_MEMO_DEPTH || (j->flags & JS_TERMINAL) || j->captured)
        return;
    memcpy(m->bytes, p - n, n);
    m->len = (uint16_t)n;
    m->flags = j->flags;
    m->have = j->have;
    m->kind = j->kind;
    m->depth = (uint8_t)j->depth;
    m->index = j->index;
    m->position = j->position;
    m->element_depth = j->element_depth;
    m->part_depth = j->part_depth;
    m->thought = j->thought;
    m->is_object = j->is_object[0];
    m->type = j->type;
    memcpy(m->node, j->node, sizeof m->node);
    /* The tier is the last one told, so the one told here must be told again. */
    m->tier_told = j->tier_told;
    if (m->tier_told) {
        m->tier_len = j->tier_len;
        memcpy(m->tier, j->tier, sizeof m->tier);
    }
}

/* An event begins at p: skips what the memo knows, or begins to watch. Returns where to go on. */
static inline const uint8_t *memo_begin(js_scan *j, const uint8_t *p, size_t n)
{
    const js_memo *m = &j->memo;
    j->at_start = 0;
    if (m->len == 0 || n < m->len || memcmp(p, m->bytes, m->len) != 0) {
        j->event_from = p;
        return p;
    }
    j->state = STRING;
    j->string_mode = IS_TEXT;
    j->flags = m->flags;
    j->have = m->have;
    j->kind = m->kind;
    j->depth = m->depth;
    j->index = m->index;
    j->position = m->position;
    j->element_depth = m->element_depth;
    j->part_depth = m->part_depth;
    j->part_from = 0;
    j->thought = m->thought;
    j->is_object[0] = m->is_object;
    j->type = m->type;
    memcpy(j->node, m->node, sizeof m->node);
    if (m->tier_told) {
        j->tier_len = m->tier_len;
        memcpy(j->tier, m->tier, sizeof m->tier);
    }
    return p + m->len;
}

#endif
