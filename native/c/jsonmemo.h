/* What the chunks of one stream have in common is read once.
 *
 * Consecutive chunks differ little but in their text (id, model, time and choice are the same), so
 * the bytes from an event's start to its first text are kept with the parser's state after them;
 * an event that begins with the same bytes takes that state over. The same is done with the rest
 * after the text, where it is plain: no other text, nothing captured, nothing that waits. This
 * changes no result: the state is a function of these bytes, and nothing was delivered. It is worth
 * most of a chunk's time. Included by jsonscan.c alone. */
#ifndef TALLYGATE_JSONMEMO_H
#define TALLYGATE_JSONMEMO_H

#include "jsonstate.h"

/* The first text of the event begins at p, just after its opening quote. */
static inline void memo_save(js_scan *j, const uint8_t *p)
{
    js_memo *m = &j->memo;
    size_t n = (size_t)(p - j->event_from);
    j->event_from = NULL;
    j->rest.len = 0; /* it was the rest after another beginning */
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
    j->memoed = 1;
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
    j->memoed = 1;
    return p + m->len;
}

/* The text of an event that began as the memo says ends before p. Returns where to go on: after
 * the rest, where it is the one that is known. */
static inline const uint8_t *rest_begin(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    const js_rest *r = &j->rest;
    j->memoed = 0;
    if (j->pending_len)
        return p;
    if (r->len == 0 || (size_t)(end - p) < r->len || memcmp(p, r->bytes, r->len) != 0) {
        j->rest_from = p;
        return p;
    }
    j->state = WHOLE;
    j->depth = 0;
    j->flags = r->flags;
    j->have = r->have;
    j->index = r->index;
    j->position = r->position;
    j->element_depth = r->element_depth;
    j->part_depth = r->part_depth;
    j->thought = r->thought;
    j->captured = r->captured;
    return p + r->len;
}

/* These bytes end at `end`: keeps the rest where it was plain and the value is whole. */
static inline void rest_save(js_scan *j, const uint8_t *end)
{
    js_rest *r = &j->rest;
    size_t n = (size_t)(end - j->rest_from);
    if (j->state == WHOLE && n <= JS_REST_MAX && j->memo.len && !(j->flags & JS_TERMINAL)) {
        memcpy(r->bytes, j->rest_from, n);
        r->len = (uint16_t)n;
        r->flags = j->flags;
        r->have = j->have;
        r->index = j->index;
        r->position = j->position;
        r->element_depth = j->element_depth;
        r->part_depth = j->part_depth;
        r->thought = j->thought;
        r->captured = j->captured;
    }
    j->rest_from = NULL;
}

#endif
