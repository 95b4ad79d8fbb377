/* From decoded string pieces to the voices: surrogate halves, texts that wait, captures kept.
 *
 * Invariants: a text waits only until its choice and type are known, its element or event ends, or
 * JS_PENDING_MAX bytes wait; whichever comes first depends on the bytes alone. A high surrogate
 * waits per choice until the next text of that choice, in whatever event it comes. */
#include "jsonscan.h"

#include <stdlib.h>

#include "jsonlex.h"

enum { RUN, UNIT, CUT, HEADER = 4 }; /* a waiting record: form, kind, length (two bytes) */

static const uint8_t REPLACEMENT[3] = {0xEF, 0xBF, 0xBD};

static js_voice *voice_of(js_scan *j)
{
    uint32_t index = j->index < j->voice_max ? j->index : j->voice_max - 1;
    if (LEX_LIKELY(index < j->voice_count))
        return &j->voices[index];
    /* Doubling keeps the work linear when choices are numbered upwards one by one. */
    uint32_t count = 2 * j->voice_count > index + 1 ? 2 * j->voice_count : index + 1;
    if (count > j->voice_max)
        count = j->voice_max;
    js_voice *grown = realloc(j->voices, count * sizeof *grown);
    if (!grown) {
        j->failed = 1;
        return NULL;
    }
    memset(grown + j->voice_count, 0, (count - j->voice_count) * sizeof *grown);
    j->voices = grown;
    j->voice_count = count;
    return &grown[index];
}

/* The kind a text is counted as, now that the event's type is known or will not be. */
static int kind_of(const js_scan *j, int kind)
{
    if (kind == JS_KIND_BY_TYPE)
        return j->type ? j->type->kind : j->flags & JS_PLAIN_TYPE ? JS_UNCOUNTED : JS_CONTENT;
    if (kind == JS_KIND_BY_PART)
        return j->thought ? JS_REASONING : JS_CONTENT;
    if (kind == JS_NAME_WHEN_ADDED)
        return j->type && j->type->added ? JS_TOOL_NAME : JS_UNCOUNTED;
    return kind;
}

static void drop_high(js_scan *j, js_voice *v)
{
    v->high = 0;
    j->text(j->context, v, v->high_kind, REPLACEMENT, sizeof REPLACEMENT);
}

static void say_run(js_scan *j, int kind, const uint8_t *p, size_t n)
{
    js_voice *v;
    kind = kind_of(j, kind);
    if (kind == JS_UNCOUNTED || n == 0 || !(v = voice_of(j)))
        return;
    if (LEX_UNLIKELY(v->high))
        drop_high(j, v);
    j->output = 1;
    j->text(j->context, v, kind, p, n);
}

static void say_unit(js_scan *j, int kind, uint32_t unit)
{
    uint8_t out[4];
    js_voice *v;
    kind = kind_of(j, kind);
    if (kind == JS_UNCOUNTED || !(v = voice_of(j)))
        return;
    j->output = 1;
    if (v->high && lex_is_low(unit) && v->high_kind == kind) {
        unit = lex_join(v->high, unit);
        v->high = 0;
    } else if (v->high) {
        drop_high(j, v);
    }
    if (lex_is_high(unit) && unit < 0x10000) {
        v->high = (uint16_t)unit;
        v->high_kind = (uint8_t)kind;
        return;
    }
    if (lex_is_low(unit) && unit < 0x10000)
        unit = 0xFFFD;
    j->text(j->context, v, kind, out, lex_put_utf8(out, unit));
}

static void say_cut(js_scan *j)
{
    js_voice *v = voice_of(j);
    if (!v)
        return;
    if (v->high)
        drop_high(j, v);
    v->fresh = 1;
}

static void say_pending(js_scan *j)
{
    const uint8_t *p = j->pending;
    uint32_t at = 0, end = j->pending_len;
    j->pending_len = j->pending_text = 0;
    while (at < end) {
        uint32_t n = p[at + 2] | (uint32_t)p[at + 3] << 8;
        if (p[at] == RUN)
            say_run(j, p[at + 1], p + at + HEADER, n);
        else if (p[at] == UNIT)
            say_unit(j, p[at + 1], n);
        else
            say_cut(j);
        at += HEADER + (p[at] == RUN ? n : 0);
    }
}

void js_settle(js_scan *j, uint8_t have)
{
    j->have |= have;
    if (j->pending_len && (j->have & j->table->need) == j->table->need)
        say_pending(j);
}

void js_end_part(js_scan *j)
{
    uint32_t at = j->part_from;
    while (at < j->pending_len) {
        uint8_t *record = j->pending + at;
        record[1] = (uint8_t)kind_of(j, record[1]);
        at += HEADER + (record[0] == RUN ? record[2] | (uint32_t)record[3] << 8 : 0);
    }
    j->part_depth = 0;
    j->thought = 0;
    js_settle(j, JS_HAVE_PART);
}

/* Makes room for n more waiting bytes and a header. False: settled as things stand, say it. */
static int room(js_scan *j, size_t n, uint32_t header)
{
    if (!j->pending && !(j->pending = malloc(2 * JS_PENDING_MAX)))
        j->failed = 1;
    /* The bound counts text, and headers apart, so that it falls alike at every split. */
    if (j->pending && j->pending_text + n <= JS_PENDING_MAX
        && j->pending_len - j->pending_text + header <= JS_PENDING_MAX)
        return 1;
    js_settle(j, JS_HAVE_ALL);
    return 0;
}

static void wait_record(js_scan *j, int form, int kind, uint32_t value)
{
    uint8_t *to = j->pending + j->pending_len;
    j->pending_last = j->pending_len;
    to[0] = (uint8_t)form;
    to[1] = (uint8_t)kind;
    to[2] = (uint8_t)value;
    to[3] = (uint8_t)(value >> 8);
    j->pending_len += HEADER;
}

static int ready(const js_scan *j)
{
    return (j->have & j->table->need) == j->table->need;
}

void js_speak_run(js_scan *j, int kind, const uint8_t *p, size_t n)
{
    if (n == 0)
        return;
    if (LEX_LIKELY(ready(j))) {
        say_run(j, kind, p, n);
        return;
    }
    /* One string read in pieces is one record, however it was split. */
    const uint8_t *last = j->pending_len ? j->pending + j->pending_last : NULL;
    int joins = last && last[0] == RUN && last[1] == kind;
    if (!room(j, n, joins ? 0 : HEADER)) {
        say_run(j, kind, p, n);
        return;
    }
    if (!joins)
        wait_record(j, RUN, kind, 0);
    uint8_t *to = j->pending + j->pending_last;
    memcpy(j->pending + j->pending_len, p, n);
    uint32_t total = (to[2] | (uint32_t)to[3] << 8) + (uint32_t)n;
    to[2] = (uint8_t)total;
    to[3] = (uint8_t)(total >> 8);
    j->pending_len += (uint32_t)n;
    j->pending_text += (uint32_t)n;
}

void js_speak_unit(js_scan *j, int kind, uint32_t unit)
{
    uint8_t out[4];
    if ((unit & 0xF800) != 0xD800)
        js_speak_run(j, kind, out, lex_put_utf8(out, unit));
    else if (LEX_LIKELY(ready(j)) || !room(j, 0, HEADER))
        say_unit(j, kind, unit);
    else
        wait_record(j, UNIT, kind, unit);
}

void js_speak_cut(js_scan *j, int kind)
{
    if (LEX_LIKELY(ready(j)) || !room(j, 0, HEADER))
        say_cut(j);
    else
        wait_record(j, CUT, kind, 0);
}

void js_finish(js_scan *j)
{
    js_settle(j, JS_HAVE_ALL);
    for (uint32_t i = 0; i < j->voice_count; i++)
        if (j->voices[i].high)
            drop_high(j, &j->voices[i]);
}

int js_buf_add(js_buf *b, const uint8_t *p, size_t n)
{
    size_t fits = JS_CAPTURE_MAX - b->len < n ? JS_CAPTURE_MAX - b->len : n;
    b->overflow |= fits < n;
    if (b->len + fits > b->cap) {
        uint32_t cap = b->cap ? b->cap : 256;
        while (cap < b->len + fits)
            cap *= 2;
        uint8_t *grown = realloc(b->data, cap);
        if (!grown)
            return 0;
        b->data = grown;
        b->cap = cap;
    }
    if (fits)
        memcpy(b->data + b->len, p, fits);
    b->len += (uint32_t)fits;
    return 1;
}

static void keep(js_scan *j, int slot)
{
    js_buf old = j->kept[slot];
    j->kept[slot] = j->event[slot];
    j->event[slot] = old;
}

/* An error counts when it is what a client would take for one: not null, false, 0 or empty. */
static int is_truthy(const js_buf *b)
{
    const uint8_t *p = b->data;
    if (!b->present || b->len == 0 || *p == 'f' || *p == 'n' || (*p == '0' && b->len == 1))
        return 0;
    if (*p == '"')
        return b->len > 2;
    if (*p != '{' && *p != '[')
        return 1;
    const uint8_t *end = p + b->len;
    for (p++; p < end && lex_is_space(*p); p++) {
    }
    return p < end && *p != '}' && *p != ']';
}

/* A flat error event (Responses) is kept as the object it is, from its known fields. */
static void compose_error(js_scan *j)
{
    static const char *const names[] = {",\"code\":", ",\"message\":", ",\"param\":"};
    js_buf *out = &j->event[JS_ERROR];
    out->len = 0;
    out->overflow = 0;
    out->present = 1;
    int ok = js_buf_add(out, (const uint8_t *)"{\"type\":\"error\"", 15);
    for (int i = 0; i < 3 && ok; i++) {
        const js_buf *field = &j->event[JS_CODE + i];
        if (field->present)
            ok = js_buf_add(out, (const uint8_t *)names[i], strlen(names[i]))
                && js_buf_add(out, field->data, field->len);
    }
    if (!ok || !js_buf_add(out, (const uint8_t *)"}", 1))
        j->failed = 1;
}

void js_commit(js_scan *j, int *usage)
{
    j->seen |= j->flags;
    if (!j->captured && !(j->flags & JS_TYPE_ERROR))
        return;
    for (int slot = JS_USAGE; slot <= JS_USAGE_START; slot++) {
        js_buf *b = &j->event[slot];
        if (!b->present || !b->len || b->data[0] != '{')
            continue;
        *usage |= slot == JS_USAGE;
        j->usage_events += slot == JS_USAGE;
        j->usage_overflow |= b->overflow;
        if (!b->overflow)
            keep(j, slot);
    }
    if ((j->flags & JS_TYPE_ERROR) && !is_truthy(&j->event[JS_ERROR]))
        compose_error(j);
    if (is_truthy(&j->event[JS_ERROR]))
        keep(j, JS_ERROR);
}
