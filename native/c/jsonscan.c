/* The parser of the incremental scanner; see jsonscan.h for what it promises.
 *
 * One function per state of RFC 8259's grammar; each takes the bytes from p on and returns where
 * it stopped, having set the next state. What a value means is decided once, when it begins. */
#include "jsonscan.h"

#include <stdlib.h>

#include "jsonact.h"
#include "jsonscalar.h"
#include "jsonlex.h"
#include "jsonmemo.h"

static const uint8_t *open_container(js_scan *j, const uint8_t *p)
{
    int object = *p == '{';
    if (LEX_UNLIKELY(j->depth >= JS_EXACT_DEPTH)) {
        j->opaque = 1;
        j->state = OPAQUE;
        return p + 1;
    }
    uint32_t depth = ++j->depth;
    uint64_t bit = (uint64_t)1 << (depth & 63);
    uint64_t *word = &j->is_object[depth >> 6];
    *word = object ? *word | bit : *word & ~bit;
    if (depth < JS_PATH_DEPTH)
        j->node[depth] = j->vnode;
    j->state = object ? FIRST_KEY : FIRST_VALUE;
    return p + 1;
}

static const uint8_t *close_container(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    if (in_object(j) != (*p == '}'))
        return bad(j, p, end);
    j->depth--;
    if (LEX_UNLIKELY(j->part_depth) && j->depth == j->part_depth)
        js_end_part(j);
    if (j->depth == j->element_depth && j->pending_len)
        js_settle(j, JS_HAVE_INDEX);
    end_value(j, p + 1);
    return p + 1;
}

static const uint8_t *begin_value(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    if (!in_object(j)) {
        j->vnode = open_node(j);
        if (j->vnode)
            begin_member(j, j->vnode);
    }
    j->string_mode = IS_SKIPPED;
    j->track_number = 0;
    if (j->vnode) {
        begin_action(j, &j->table->node[j->vnode], p);
        if (j->string_mode != IS_SKIPPED || j->capture >= 0)
            j->rest_from = NULL;
    }
    switch (*p) {
    case '"':
        j->state = STRING;
        if (j->string_mode == IS_TEXT && j->event_from)
            memo_save(j, p + 1);
        return p + 1;
    case '{': case '[':
        return open_container(j, p);
    case 't': j->literal = "true"; break;
    case 'f': j->literal = "false"; break;
    case 'n': j->literal = "null"; break;
    default:
        if (*p != '-' && !lex_is_digit(*p))
            return bad(j, p, end);
        j->number = *p == '-' ? MINUS : *p == '0' ? ZERO : INTEGER;
        j->number_value = *p & 15;
        j->state = NUMBER;
        return p + 1;
    }
    j->state = LITERAL;
    j->literal_at = 1;
    return p + 1;
}

/* ---- strings ---- */

static const uint8_t *in_string(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *q = lex_string_run(p, end);
    if (j->string_mode == IS_TEXT)
        js_speak_run(j, j->kind, p, (size_t)(q - p));
    else if (j->string_mode != IS_SKIPPED)
        small_piece(j, p, (size_t)(q - p));
    if (q == end)
        return q;
    if (*q == '\\') {
        j->state = ESCAPE;
        return q + 1;
    }
    if (*q != '"')
        return bad(j, q, end);
    q++;
    if (j->state == STRING && j->string_mode == IS_KEY) {
        uint8_t at = open_node(j);
        j->vnode = at && !j->small_over ? js_child(j->table, at, j->small, j->small_len) : 0;
        j->state = COLON;
        if (LEX_LIKELY(q < end && *q == ':')) {
            j->state = VALUE;
            q++;
        }
        return q;
    }
    if (j->string_mode != IS_SKIPPED)
        end_wanted(j, q);
    end_value(j, q);
    return LEX_UNLIKELY(j->memoed) ? rest_begin(j, q, end) : q;
}

static void string_unit(js_scan *j, uint32_t unit)
{
    uint8_t out[4];
    if (j->string_mode == IS_TEXT)
        js_speak_unit(j, j->kind, unit);
    else if (j->string_mode != IS_SKIPPED)
        small_piece(j, out, lex_put_utf8(out, unit));
    j->state = STRING;
}

static const uint8_t *in_escape(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    if (*p == 'u') {
        j->state = UNIT;
        j->unit = j->unit_digits = 0;
        return p + 1;
    }
    uint8_t c = lex_escape(*p);
    if (!c)
        return bad(j, p, end);
    string_unit(j, c);
    return p + 1;
}

static const uint8_t *in_unit(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    while (p < end && j->unit_digits < 4) {
        int digit = lex_hex(*p);
        if (digit < 0)
            return bad(j, p, end);
        p++;
        j->unit = (uint16_t)(j->unit << 4 | digit);
        j->unit_digits++;
    }
    if (j->unit_digits == 4)
        string_unit(j, j->unit);
    return p;
}

/* A key begins at p, a quote. Keys below no path node are skipped unread. */
static const uint8_t *begin_key(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    if (*p != '"')
        return bad(j, p, end);
    uint8_t at = open_node(j);
    j->string_mode = IS_KEY;
    j->small_len = 0;
    j->small_over = !at;
    if (at)
        begin_member(j, at);
    j->state = STRING;
    return p + 1;
}

/* ---- the whole ---- */

/* One step in a state between tokens; *p is no white space. */
static inline const uint8_t *between(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    switch (j->state) {
    case FIRST_VALUE:
        if (*p == ']')
            return close_container(j, p, end);
        return begin_value(j, p, end);
    case VALUE:
        return begin_value(j, p, end);
    case FIRST_KEY:
        return *p == '}' ? close_container(j, p, end) : begin_key(j, p, end);
    case KEY:
        return begin_key(j, p, end);
    case COLON:
        if (*p != ':')
            return bad(j, p, end);
        j->state = VALUE;
        return p + 1;
    case AFTER:
        if (*p == ',') {
            j->state = in_object(j) ? KEY : VALUE;
            p++;
            /* The usual next byte, taken without going round. */
            return p < end && *p == '"' && j->state == KEY ? begin_key(j, p, end) : p;
        }
        return *p == '}' || *p == ']' ? close_container(j, p, end) : bad(j, p, end);
    default: /* WHOLE: only white space may follow */
        return bad(j, p, end);
    }
}

void js_feed(js_scan *j, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    if (n == 0)
        return;
    if (LEX_UNLIKELY(j->capture >= 0))
        j->capture_from = p;
    if (j->at_start)
        p = memo_begin(j, p, n);
    while (p < end) {
        switch (j->state) {
        case STRING: p = in_string(j, p, end); break;
        case ESCAPE: p = in_escape(j, p, end); break;
        case UNIT: p = in_unit(j, p, end); break;
        case NUMBER: p = in_number(j, p, end); break;
        case LITERAL: p = in_literal(j, p, end); break;
        case OPAQUE: p = in_opaque(j, p, end); break;
        case OPAQUE_STRING: p = in_opaque_string(j, p, end); break;
        case OPAQUE_ESCAPE: j->state = OPAQUE_STRING; p++; break;
        case BAD: j->event_from = j->rest_from = NULL; return;
        default: p = lex_is_space(*p) ? p + 1 : between(j, p, end);
        }
    }
    j->event_from = NULL;
    if (j->rest_from)
        rest_save(j, end);
    if (j->capture >= 0)
        capture_piece(j, end);
}

int js_complete(const js_scan *j)
{
    return j->state == WHOLE || (j->state == NUMBER && !j->depth && number_is_whole(j));
}

int js_is_bad(const js_scan *j)
{
    return j->state == BAD;
}

/* Prepares for the next event; what lives longer than an event stays. */
static void reset(js_scan *j)
{
    j->state = VALUE;
    j->depth = 0;
    j->is_object[0] = 1; /* the root counts as a member of an object: its actions are by key */
    j->node[0] = 0;
    j->vnode = 1;
    j->flags = 0;
    j->have = 0;
    j->index = 0;
    j->position = j->element_depth = UINT32_MAX;
    j->type = NULL;
    j->capture = -1;
    if (j->captured) {
        for (int i = 0; i < JS_SLOTS; i++)
            j->event[i].present = 0;
    }
    j->captured = j->tier_told = j->thought = j->memoed = 0;
    j->part_depth = 0;
    j->at_start = 1;
}

int js_end(js_scan *j, int *usage)
{
    int flags = -1;
    *usage = 0;
    if (j->pending_len)
        js_settle(j, JS_HAVE_ALL);
    if (js_complete(j)) {
        js_commit(j, usage);
        flags = j->flags;
    } else {
        j->malformed_events++;
    }
    reset(j);
    return flags;
}

void js_init(js_scan *j, const js_table *table, uint32_t max_choices, js_text_fn text, void *context)
{
    memset(j, 0, sizeof *j);
    j->table = table;
    j->voice_max = max_choices;
    j->text = text;
    j->context = context;
    reset(j);
}

void js_free(js_scan *j)
{
    for (int i = 0; i < JS_SLOTS; i++)
        free(j->event[i].data);
    for (int i = 0; i < 3; i++)
        free(j->kept[i].data);
    free(j->voices);
    free(j->pending);
}
