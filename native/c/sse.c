/* The splitter of server-sent events; see sse.h for what it promises. */
#include "sse.h"

#include "jsonlex.h"

enum line { START, DATA_NAME, EVENT_NAME, SPACE_DATA, SPACE_EVENT, DATA, EVENT, SKIP };

enum { MARKER_LEN = 6, NO_MARKER = 0xFF };
static const char MARKER[] = "[DONE]";
static const char BOM[] = "\xEF\xBB\xBF";

/* One call's view: where the present event began in these bytes. */
typedef struct view {
    sse_scan *s;
    const uint8_t *event, *end;
    const uint8_t *hold; /* the terminal event is held from here; null: from its first byte */
} view;

static void reset_event(sse_scan *s)
{
    s->has_data = 0;
    s->name_len = 0;
    s->marker = s->json->table->done_marker ? 0 : NO_MARKER;
}

void sse_init(sse_scan *s, js_scan *json, int remove_usage)
{
    memset(s, 0, sizeof *s);
    s->json = json;
    s->remove_usage = (uint8_t)(remove_usage && json->table->done_marker);
    reset_event(s);
}

/* True when nothing that can still come makes the event one to be held or removed. Only ever turns
 * from false to true within an event, at a byte that does not depend on the split. */
static int may_pass(const sse_scan *s)
{
    if (s->json->table->endless)
        return 1;
    if (!s->has_data)
        return 0;
    if (s->json->table->done_marker) {
        if (s->marker <= MARKER_LEN)
            return 0;
        return !s->remove_usage || (s->json->flags & JS_CHOICES_FILLED) || js_is_bad(s->json);
    }
    return (s->json->flags & JS_PLAIN_TYPE) || js_is_bad(s->json);
}

/* True from where the event begins to report an error. */
static int tells_error(const js_scan *j)
{
    return (j->captured && (j->capture == JS_ERROR || j->event[JS_ERROR].present))
        || (j->flags & JS_TYPE_ERROR);
}

int sse_must_hold(const sse_scan *s)
{
    return s->carry > 0 && s->carry <= SSE_HOLD_MAX && !s->ending
        && (!may_pass(s) || tells_error(s->json));
}

static uint64_t event_bytes(const view *v, const uint8_t *p)
{
    return v->s->carry + (uint64_t)(p - v->event);
}

/* The event is terminal, as the bytes before `at` show. */
static void begin_ending(view *v, const uint8_t *at, int late)
{
    v->s->ending = 1;
    v->hold = late || event_bytes(v, at) > SSE_HOLD_MAX ? at : NULL;
}

/* A piece of a data line's value. */
static void data_piece(view *v, const uint8_t *p, const uint8_t *q)
{
    sse_scan *s = v->s;
    const uint8_t *at = NULL;
    for (const uint8_t *m = p; m < q && s->marker < MARKER_LEN; m++) {
        s->marker = *m == (uint8_t)MARKER[s->marker] ? (uint8_t)(s->marker + 1) : NO_MARKER;
        if (s->marker == MARKER_LEN)
            at = m + 1;
    }
    js_feed(s->json, p, (size_t)(q - p));
    if (s->ending)
        return;
    if (at)
        begin_ending(v, at, 0);
    else if (s->json->flags & JS_TERMINAL)
        begin_ending(v, s->json->terminal_at, s->json->flags & JS_LATE);
}

/* A data line begins: lines of one event join with LF. */
static void begin_data(sse_scan *s)
{
    static const uint8_t lf = '\n';
    if (s->has_data) {
        js_feed(s->json, &lf, 1);
        if (s->marker < MARKER_LEN)
            s->marker = NO_MARKER;
    }
    s->has_data = 1;
}

/* The event's name is complete; for dialects that name their events it can end the stream too. */
static void end_name(view *v, const uint8_t *p)
{
    sse_scan *s = v->s;
    const js_type *type = s->name_len < SSE_NAME_MAX
        ? js_type_of(s->json->table, s->name, s->name_len) : NULL;
    if (type && (type->flags & JS_TERMINAL) && !s->ending)
        begin_ending(v, p, may_pass(s));
}

/* The blank line that ends at p ends the event. */
static sse_code end_event(view *v, const uint8_t *p)
{
    sse_scan *s = v->s;
    int usage = 0, flags = 0;
    s->event_len = event_bytes(v, p);
    s->carry = 0;
    v->event = p;
    if (s->has_data) {
        int marked = s->marker == MARKER_LEN;
        s->events++;
        flags = js_end(s->json, &usage);
        s->json->malformed_events -= (uint64_t)(marked && flags < 0);
    }
    reset_event(s);
    s->removed = s->remove_usage && usage && (flags & JS_CHOICES_ARRAY)
        && !(flags & JS_CHOICES_FILLED) && s->event_len <= SSE_HOLD_MAX;
    if (s->ending) {
        s->done = 1;
        return SSE_DONE;
    }
    return s->removed ? SSE_REMOVED : SSE_MORE;
}

/* Takes the line end at *p; returns the point after it, CRLF as one where it is in these bytes. */
static const uint8_t *take_line_end(view *v, const uint8_t *p)
{
    v->s->line = START;
    if (*p++ == '\r') {
        if (p < v->end && *p == '\n')
            return p + 1;
        v->s->lf = p == v->end;
    }
    return p;
}

/* The first bytes of a line. */
static const uint8_t *begin_line(view *v, const uint8_t *p)
{
    sse_scan *s = v->s;
    s->bom = 0xFF;
    s->match = 1;
    if (LEX_LIKELY(*p == 'd')) {
        if (LEX_LIKELY(v->end - p >= 6 && memcmp(p, "data: ", 6) == 0)) {
            begin_data(s);
            s->line = DATA;
            return p + 6;
        }
        s->line = DATA_NAME;
    } else {
        s->line = *p == 'e' ? EVENT_NAME : SKIP;
    }
    return p + 1;
}

/* A byte of a field's name. */
static const uint8_t *in_name(view *v, const uint8_t *p)
{
    sse_scan *s = v->s;
    const char *name = s->line == DATA_NAME ? "data" : "event";
    if (name[s->match]) {
        if (*p == (uint8_t)name[s->match])
            s->match++;
        else
            s->line = SKIP;
        /* What did not match may be the line's end, which SKIP must see. */
        return s->line == SKIP ? p : p + 1;
    }
    int is_data = s->line == DATA_NAME, ends = *p == '\r' || *p == '\n';
    if (*p != ':' && !ends) {
        s->line = SKIP;
        return p;
    }
    /* A name without a colon is the field with an empty value. */
    if (is_data)
        begin_data(s);
    else
        s->name_len = 0;
    if (ends)
        return take_line_end(v, p);
    s->line = is_data ? SPACE_DATA : SPACE_EVENT;
    return p + 1;
}

/* The rest of a line whose field is known. */
static const uint8_t *in_value(view *v, const uint8_t *p)
{
    sse_scan *s = v->s;
    const uint8_t *q = lex_line_end(p, v->end);
    if (s->line == DATA) {
        if (q != p)
            data_piece(v, p, q);
    } else if (s->line == EVENT) {
        for (; p < q; p++) {
            if (s->name_len < SSE_NAME_MAX)
                s->name[s->name_len++] = *p;
        }
        if (q < v->end)
            end_name(v, q);
    }
    return q < v->end ? take_line_end(v, q) : q;
}

/* A byte order mark at the very start; returns p unchanged when there is none to take. */
static const uint8_t *skip_bom(view *v, const uint8_t *p)
{
    sse_scan *s = v->s;
    while (p < v->end && s->bom < 3 && *p == (uint8_t)BOM[s->bom]) {
        s->bom++;
        p++;
    }
    if (p < v->end) {
        /* Half a mark is the beginning of a field nobody knows. */
        s->line = s->bom > 0 && s->bom < 3 ? SKIP : START;
        s->bom = 0xFF;
    }
    return p;
}

sse_code sse_feed(sse_scan *s, const uint8_t *p, size_t n, size_t *used)
{
    const uint8_t *base = p;
    view v = {s, p, p + n, NULL};
    sse_code code = SSE_MORE;
    int was_ending = s->ending;
    if (s->bom <= 3)
        p = skip_bom(&v, p);
    while (p < v.end && code == SSE_MORE && s->ending == was_ending) {
        if (LEX_UNLIKELY(s->lf)) {
            s->lf = 0;
            if (*p == '\n') {
                p++;
                if (event_bytes(&v, p) == 1 && s->line == START) {
                    v.event = p;
                    code = s->removed ? SSE_LF : SSE_MORE;
                }
                continue;
            }
        }
        switch (s->line) {
        case START:
            if (*p == '\n' || *p == '\r') {
                p = take_line_end(&v, p);
                code = end_event(&v, p);
            } else {
                p = begin_line(&v, p);
            }
            break;
        case DATA_NAME: case EVENT_NAME:
            p = in_name(&v, p);
            break;
        case SPACE_DATA: case SPACE_EVENT:
            s->line = s->line == SPACE_DATA ? DATA : EVENT;
            p += *p == ' ';
            break;
        default:
            p = in_value(&v, p);
        }
    }
    s->carry += (uint64_t)(p - v.event);
    *used = (size_t)(p - base);
    if (!s->ending || was_ending)
        return code;
    s->back = v.hold ? (uint64_t)(p - v.hold) : s->carry;
    return SSE_ENDING;
}

int sse_finish(sse_scan *s)
{
    int usage, truncated = s->carry > 0;
    if (s->has_data && !s->done) {
        int marked = s->marker == MARKER_LEN;
        s->done = s->ending && (marked || js_complete(s->json));
        s->events += marked || js_complete(s->json);
        if (js_complete(s->json))
            js_end(s->json, &usage);
        s->has_data = 0;
    }
    return truncated;
}
