#include "usage.h"

#include <string.h>

typedef struct reader {
    const uint8_t *p, *end;
    us_report *report;
} reader;

/* Where in a report a member stands. */
enum { TOP, INPUT, OUTPUT, OTHER };

static int value(reader *r, int depth);
static int object(reader *r, int where, int depth);

static void blank(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

static int taken(reader *r, uint8_t byte)
{
    if (r->p == r->end || *r->p != byte)
        return 0;
    r->p++;
    return 1;
}

static int word(reader *r, const char *letters, size_t n)
{
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, letters, n) != 0)
        return 0;
    r->p += n;
    return 1;
}

/* A string without escapes; its opening quote is next. */
static int string(reader *r, const uint8_t **start, size_t *n)
{
    if (!taken(r, '"'))
        return 0;
    *start = r->p;
    while (r->p < r->end && *r->p >= 0x20 && *r->p < 0x80 && *r->p != '"' && *r->p != '\\')
        r->p++;
    *n = (size_t)(r->p - *start);
    return taken(r, '"');
}

static size_t digits(reader *r)
{
    const uint8_t *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return (size_t)(r->p - start);
}

/* RFC 8259, 6. */
static int number(reader *r)
{
    size_t n;
    int zero;
    (void)taken(r, '-');
    zero = r->p < r->end && *r->p == '0';
    n = digits(r);
    if (n == 0 || (zero && n > 1))
        return 0;
    if (taken(r, '.') && digits(r) == 0)
        return 0;
    if (r->p < r->end && (*r->p | 0x20) == 'e') {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        return digits(r) != 0;
    }
    return 1;
}

/* A whole count, or null where that may be; once. */
static int count(reader *r, int64_t *into, int nullable)
{
    const uint8_t *start = r->p;
    int64_t sum = 0;
    size_t n;
    if (*into != US_ABSENT)
        return 0;
    if (nullable && word(r, "null", 4))
        return 1;
    n = digits(r);
    if (n == 0 || n > US_MAX_DIGITS || (*start == '0' && n > 1))
        return 0;
    while (start < r->p)
        sum = sum * 10 + (*start++ - '0');
    *into = sum;
    return 1; /* what follows must be a comma or a brace, so no fraction and no power */
}

static int details(reader *r, int where, int64_t *mark, int depth)
{
    if (*mark != US_ABSENT)
        return 0;
    *mark = 0;
    return word(r, "null", 4) || object(r, where, depth + 1);
}

typedef struct seen {
    int64_t input, output;
} seen;

#define IS(text) (n == sizeof text - 1 && memcmp(key, text, sizeof text - 1) == 0)

static int member(reader *r, int where, const uint8_t *key, size_t n, seen *nested, int depth)
{
    us_report *report = r->report;
    if (where == TOP) {
        if (IS("prompt_tokens"))
            return count(r, &report->prompt, 0);
        if (IS("completion_tokens"))
            return count(r, &report->completion, 0);
        if (IS("prompt_cache_hit_tokens"))
            return count(r, &report->hit, 1);
        if (IS("prompt_tokens_details"))
            return details(r, INPUT, &nested->input, depth);
        if (IS("completion_tokens_details"))
            return details(r, OUTPUT, &nested->output, depth);
    } else if (where == INPUT) {
        if (IS("cached_tokens"))
            return count(r, &report->cached, 1);
        if (IS("cache_write_tokens"))
            return count(r, &report->written, 1);
    } else if (where == OUTPUT && IS("reasoning_tokens")) {
        return count(r, &report->reasoning, 1);
    }
    return value(r, depth + 1);
}

static int object(reader *r, int where, int depth)
{
    const uint8_t *key;
    seen nested = {US_ABSENT, US_ABSENT};
    size_t n;
    if (depth > US_MAX_DEPTH || !taken(r, '{'))
        return 0;
    blank(r);
    if (taken(r, '}'))
        return 1;
    do {
        blank(r);
        if (!string(r, &key, &n))
            return 0;
        blank(r);
        if (!taken(r, ':'))
            return 0;
        blank(r);
        if (!member(r, where, key, n, &nested, depth))
            return 0;
        blank(r);
    } while (taken(r, ','));
    return taken(r, '}');
}

static int array(reader *r, int depth)
{
    if (depth > US_MAX_DEPTH || !taken(r, '['))
        return 0;
    blank(r);
    if (taken(r, ']'))
        return 1;
    do {
        blank(r);
        if (!value(r, depth + 1))
            return 0;
        blank(r);
    } while (taken(r, ','));
    return taken(r, ']');
}

static int value(reader *r, int depth)
{
    const uint8_t *text;
    size_t n;
    if (r->p == r->end)
        return 0;
    switch (*r->p) {
    case '{':
        return object(r, OTHER, depth);
    case '[':
        return array(r, depth);
    case '"':
        return string(r, &text, &n);
    case 't':
        return word(r, "true", 4);
    case 'f':
        return word(r, "false", 5);
    case 'n':
        return word(r, "null", 4);
    default:
        return number(r);
    }
}

int us_read(const uint8_t *json, size_t n, us_report *report)
{
    reader r = {json, json + n, report};
    *report = (us_report){US_ABSENT, US_ABSENT, US_ABSENT, US_ABSENT, US_ABSENT, US_ABSENT};
    blank(&r);
    if (!object(&r, TOP, 0))
        return 0;
    blank(&r);
    return r.p == r.end && report->prompt != US_ABSENT;
}
