/* What the path table wants done: the semantic half of the incremental scanner.
 *
 * Included by jsonscan.c alone, which is the grammar; kept apart so that each half can be read by
 * itself. Every function here is called at a point of the grammar that the bytes alone determine. */
#ifndef TALLYGATE_JSONACT_H
#define TALLYGATE_JSONACT_H

#include "jsonstate.h"

static inline void begin_capture(js_scan *j, const js_node *node, const uint8_t *p)
{
    if (j->capture >= 0)
        return;
    if (node->action == JS_CAPTURE) {
        js_buf *b = &j->event[node->arg];
        j->captured = 1;
        b->len = 0;
        b->overflow = 0;
        b->present = *p != 'n';
        if (!b->present)
            return;
        j->capture = (int8_t)node->arg;
    } else if (*p != 'n') {
        j->captured = 1;
        j->capture = JS_SLOTS;
        j->capture_kind = node->arg;
    }
    if (j->capture >= 0) {
        j->capture_depth = j->depth;
        j->capture_from = p;
    }
}

/* What the path table wants of the value that begins at p. */
static inline void begin_action(js_scan *j, const js_node *node, const uint8_t *p)
{
    switch (node->action) {
    case JS_TEXT:
        if (*p == '"') {
            j->string_mode = IS_TEXT;
            j->kind = node->arg;
        }
        break;
    case JS_SMALL:
        if (*p == '"' && !(node->arg == JS_MODEL && j->model_len)) {
            j->string_mode = IS_SMALL;
            j->small_to = node->arg;
            j->small_len = j->small_over = 0;
        }
        break;
    case JS_INDEX:
        j->track_number = (uint8_t)lex_is_digit(*p);
        j->number_value = 0;
        break;
    case JS_FLAG:
        if (*p != 'n' && *p != '{' && *p != '[')
            j->flags |= node->arg;
        break;
    case JS_CHOICES:
        if (in_object(j)) {
            j->flags &= (uint16_t)~JS_CHOICES_ARRAY;
            j->flags |= *p == '[' ? JS_CHOICES_ARRAY : 0;
            j->position = UINT32_MAX;
        }
        break;
    case JS_THOUGHT:
        j->thought |= (uint8_t)(*p == 't');
        break;
    case JS_CAPTURE:
    case JS_RAW:
        if (in_object(j))
            begin_capture(j, node, p);
        break;
    default:
        break;
    }
}

/* A member of the innermost container begins. */
static inline void begin_member(js_scan *j, uint8_t container)
{
    const js_node *node = &j->table->node[container];
    if (node->action == JS_FLAG) {
        j->flags |= node->arg;
    } else if (node->action == JS_CHOICES && !in_object(j)) {
        j->flags |= JS_CHOICES_FILLED;
        if (j->pending_len)
            js_settle(j, JS_HAVE_INDEX);
        j->index = ++j->position;
        j->have &= (uint8_t)~JS_HAVE_INDEX;
        j->element_depth = j->depth;
    } else if (node->action == JS_PARTS && !in_object(j)) {
        j->part_depth = j->depth;
        j->part_from = j->pending_len;
        j->thought = 0;
        j->have &= (uint8_t)~JS_HAVE_PART;
    }
}

static inline void small_piece(js_scan *j, const uint8_t *p, size_t n)
{
    if (j->small_over || n > JS_SMALL_MAX - j->small_len) {
        j->small_over = 1;
        return;
    }
    memcpy(j->small + j->small_len, p, n);
    j->small_len += (uint32_t)n;
}

static inline void know_type(js_scan *j, const uint8_t *after)
{
    j->type = j->small_over ? NULL : js_type_of(j->table, j->small, j->small_len);
    uint8_t flags = j->type ? j->type->flags : 0;
    if (!(flags & JS_TERMINAL)) {
        j->flags |= JS_PLAIN_TYPE | flags;
    } else if (!(j->flags & JS_TERMINAL)) {
        j->flags |= (uint16_t)(flags | (j->flags & JS_PLAIN_TYPE ? JS_LATE : 0));
        j->terminal_at = after;
    }
    js_settle(j, JS_HAVE_TYPE);
}

/* A wanted string other than a key ends; p is just after its closing quote. */
static inline void end_wanted(js_scan *j, const uint8_t *p)
{
    if (j->string_mode == IS_TEXT) {
        if (j->table->split)
            js_speak_cut(j, j->kind);
    } else if (j->small_to == JS_TYPE) {
        know_type(j, p);
    } else if (j->small_to == JS_MODEL) {
        j->model_len = j->small_over ? 0 : (uint8_t)j->small_len;
        memcpy(j->model, j->small, j->model_len);
    } else if (!j->small_over && j->small_len <= sizeof j->tier) {
        j->tier_told = 1;
        j->tier_len = (uint8_t)j->small_len;
        memcpy(j->tier, j->small, j->tier_len);
    }
}

#endif
