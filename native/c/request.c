/* The strict pass over a request body; see request.h for what it promises. */
#include "request.h"

#include "jsonlex.h"
#include "requestkeys.h"

enum mode { SKIPPED, COUNTED, IS_KEY };

typedef struct cursor {
    rq_scan *r;
    const uint8_t *body, *p, *end;
    const uint8_t *rest_at; /* from here on it is time to rest */
    uint64_t is_object[RQ_MAX_DEPTH / 64 + 1];
    uint32_t depth;
    int name;     /* of the top-level member whose value is read, or -1 */
    int has_parts; /* that member is one of PARENTS */
    int inner;    /* of the member inside it whose value is read, or -1 */
    int root;     /* of the prompt member whose value is read, or ROOTS */
    int is_media; /* the value is a member with one of MEDIA_KEYS */
    int is_label; /* ... or with one of LABEL_KEYS, outside tools */
    uint32_t key_len;
    uint8_t key[RQ_KEY_MAX];
} cursor;

int rq_name(const char *name, int inside)
{
    for (int i = inside ? TOP_NAMES : 0; i < (inside ? RQ_NAMES : TOP_NAMES); i++)
        if (strcmp(NAMES[i], name) == 0)
            return i;
    return -1;
}

const char *rq_name_at(int index)
{
    return index >= 0 && index < RQ_NAMES ? NAMES[index] : NULL;
}

static int fail(cursor *c, const char *why)
{
    c->r->error = why;
    c->r->error_at = (size_t)(c->p - c->body);
    return 0;
}

static void rest(cursor *c)
{
    if (c->r->rest && c->p >= c->rest_at) {
        c->r->rest(c->r->context, NULL, 0);
        c->rest_at = c->end - c->p > RQ_REST_BYTES ? c->p + RQ_REST_BYTES : c->end;
    }
}

static void deliver(cursor *c, enum mode mode, const uint8_t *p, size_t n)
{
    if (mode == COUNTED) {
        c->r->text_bytes += n;
        if (!c->r->text || !n)
            return;
        for (; c->r->rest && n > RQ_REST_BYTES; p += RQ_REST_BYTES, n -= RQ_REST_BYTES) {
            c->r->text(c->r->context, p, RQ_REST_BYTES);
            c->r->rest(c->r->context, NULL, 0);
        }
        c->r->text(c->r->context, p, n);
    } else if (mode == IS_KEY) {
        /* A key too long to be one of ours keeps an impossible length. */
        if (n > RQ_KEY_MAX || c->key_len + n > RQ_KEY_MAX)
            c->key_len = RQ_KEY_MAX + 1;
        else
            memcpy(c->key + c->key_len, p, n), c->key_len += (uint32_t)n;
    }
}

/* The escape whose backslash is just before c->p. */
static int escape(cursor *c, enum mode mode)
{
    uint8_t out[4];
    if (c->p == c->end)
        return fail(c, "unterminated string");
    if (*c->p != 'u') {
        out[0] = lex_escape(*c->p);
        if (!out[0])
            return fail(c, "unknown escape");
        deliver(c, mode, out, 1);
        c->p++;
        return 1;
    }
    int32_t unit = lex_unit_at(c->p + 1, c->end);
    if (unit < 0)
        return fail(c, "bad \\u escape");
    c->p += 5;
    uint32_t code = (uint32_t)unit;
    if (lex_is_high(code)) {
        int32_t low = c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u'
            ? lex_unit_at(c->p + 2, c->end) : -1;
        if (low >= 0 && lex_is_low((uint32_t)low)) {
            code = lex_join(code, (uint32_t)low);
            c->p += 6;
        } else {
            code = 0xFFFD;
        }
    } else if (lex_is_low(code)) {
        code = 0xFFFD;
    }
    deliver(c, mode, out, lex_put_utf8(out, code));
    return 1;
}

/* The string whose opening quote is just before c->p. */
static int string(cursor *c, enum mode mode)
{
    const uint8_t *from = c->p, *p = c->p;
    for (;;) {
        p = lex_ascii_run(p, c->end);
        while (p < c->end && *p >= 0x80 && p - from < RQ_REST_BYTES) {
            size_t n = lex_utf8_length(p, c->end);
            if (!n) {
                c->p = p;
                return fail(c, "invalid UTF-8");
            }
            p += n;
        }
        if (p < c->end && *p != '"' && *p != '\\' && *p >= 0x20) {
            if (p - from >= RQ_REST_BYTES) {
                deliver(c, mode, from, (size_t)(p - from));
                c->p = from = p;
                rest(c);
            }
            continue;
        }
        deliver(c, mode, from, (size_t)(p - from));
        c->p = p;
        if (p == c->end)
            return fail(c, "unterminated string");
        if (*p < 0x20)
            return fail(c, "control character in a string");
        c->p++;
        if (*p == '"')
            return 1;
        if (!escape(c, mode))
            return 0;
        from = p = c->p;
        rest(c);
    }
}

static int digits(cursor *c)
{
    const uint8_t *from = c->p;
    while (c->p < c->end && lex_is_digit(*c->p))
        c->p++;
    return c->p > from || fail(c, "bad number");
}

static int number(cursor *c)
{
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!digits(c))
        return 0;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (!digits(c))
            return 0;
    }
    if (c->p < c->end && (*c->p | 0x20) == 'e') {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        return digits(c);
    }
    return 1;
}

static int literal(cursor *c, const char *word, size_t n)
{
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return fail(c, "unknown literal");
    c->p += n;
    return 1;
}

static int skip_space(cursor *c)
{
    while (c->p < c->end && lex_is_space(*c->p))
        c->p++;
    return c->p < c->end || fail(c, "unexpected end");
}

static int in_object(const cursor *c)
{
    return (int)(c->is_object[c->depth >> 6] >> (c->depth & 63) & 1);
}

static int open_container(cursor *c)
{
    if (c->depth == RQ_MAX_DEPTH)
        return fail(c, "nested too deeply");
    uint32_t depth = ++c->depth;
    uint64_t bit = (uint64_t)1 << (depth & 63), *word = &c->is_object[depth >> 6];
    *word = *c->p == '{' ? *word | bit : *word & ~bit;
    c->p++;
    return 1;
}

/* Whether the string that begins at c->p ends soon, and without an escape. */
static int is_short(const cursor *c)
{
    size_t n = (size_t)(c->end - c->p) < LABEL_MAX ? (size_t)(c->end - c->p) : LABEL_MAX;
    const uint8_t *quote = memchr(c->p, '"', n);
    return quote && !memchr(c->p, '\\', (size_t)(quote - c->p));
}

/* A string value: text of the prompt, a file in it, or nothing of interest. */
static int string_value(cursor *c)
{
    rq_scan *r = c->r;
    const uint8_t *from = ++c->p;
    if (c->root == ROOTS)
        return string(c, SKIPPED);
    if (c->is_media) {
        int valid = string(c, SKIPPED);
        r->media_parts++;
        r->media_bytes += valid ? (uint64_t)(c->p - from) - 1 : 0;
        return valid;
    }
    if (!string(c, c->is_label && is_short(c) ? SKIPPED : COUNTED))
        return 0;
    if (r->cut)
        r->cut(r->context, NULL, 0);
    return 1;
}

/* The value at c->p. *opened tells that it is a container whose members follow. */
static int value(cursor *c, int *opened)
{
    *opened = 0;
    if (c->depth == 2 && c->root <= FUNCTIONS && !in_object(c))
        (*(c->root <= CONTENTS ? &c->r->messages : &c->r->tools))++;
    switch (*c->p) {
    case '{': case '[': *opened = 1; return open_container(c);
    case '"': return string_value(c);
    case 't': return literal(c, "true", 4);
    case 'f': return literal(c, "false", 5);
    case 'n': return literal(c, "null", 4);
    default:
        return *c->p == '-' || lex_is_digit(*c->p) ? number(c) : fail(c, "a value was expected");
    }
}

static void note_duplicate(rq_scan *r, int name)
{
    if (name >= 0 && r->span[name].end && r->duplicate < 0)
        r->duplicate = name;
}

/* What a key says about the value after it. */
static void know_key(cursor *c)
{
    int known = c->key_len && c->key_len <= RQ_KEY_MAX;
    c->is_media = c->is_label = 0;
    c->inner = -1;
    if (c->depth == 1) {
        c->name = known ? find(NAMES, TOP_NAMES, c->key, c->key_len) : -1;
        c->has_parts = known && find(PARENTS, PARENT_COUNT, c->key, c->key_len) >= 0;
        int root = known ? find(PROMPT_ROOTS, ROOTS, c->key, c->key_len) : -1;
        c->root = root < 0 ? ROOTS : root;
        c->r->watched |= c->name >= WATCHED;
        c->r->caches |= known && find(CACHE_KEY, 1, c->key, c->key_len) >= 0;
        note_duplicate(c->r, c->name);
    } else if (c->root != ROOTS && known) {
        c->is_media = find(MEDIA_KEYS, MEDIA_COUNT, c->key, c->key_len) >= 0;
        c->is_label = c->root != TOOLS && c->root != FUNCTIONS
            && find(LABEL_KEYS, LABEL_COUNT, c->key, c->key_len) >= 0;
        c->r->references |= c->root != TOOLS && c->root != FUNCTIONS
            && find(REFERENCE_KEYS, REFERENCE_COUNT, c->key, c->key_len) >= 0;
        c->r->caches |= find(CACHE_KEY, 1, c->key, c->key_len) >= 0;
    } else if (c->has_parts && c->depth == 2 && known) {
        int inner = find(NAMES + TOP_NAMES, RQ_NAMES - TOP_NAMES, c->key, c->key_len);
        c->inner = inner < 0 ? -1 : inner + TOP_NAMES;
        note_duplicate(c->r, c->inner);
    }
}

/* The key at c->p, its colon, and the space before its value. */
static int member(cursor *c)
{
    if (*c->p != '"')
        return fail(c, "a key was expected");
    c->p++;
    c->key_len = 0;
    int wanted = c->depth == 1 || c->root != ROOTS || (c->has_parts && c->depth == 2);
    if (!string(c, wanted ? IS_KEY : SKIPPED))
        return 0;
    know_key(c);
    if (!skip_space(c))
        return 0;
    if (*c->p != ':')
        return fail(c, "a colon was expected");
    c->p++;
    return skip_space(c);
}

/* After a value: closes what ends here, up to the comma before the next member. */
static int after_value(cursor *c)
{
    while (c->depth) {
        if (c->depth == 1 && c->name >= 0) {
            c->r->span[c->name].end = (size_t)(c->p - c->body);
            c->name = -1;
        } else if (c->depth == 2 && c->inner >= 0) {
            c->r->span[c->inner].end = (size_t)(c->p - c->body);
            c->inner = -1;
        }
        if (!skip_space(c))
            return 0;
        if (*c->p == ',') {
            c->p++;
            return skip_space(c);
        }
        if (*c->p != (in_object(c) ? '}' : ']'))
            return fail(c, "a comma or a closing bracket was expected");
        c->p++;
        c->depth--;
        c->is_media = c->is_label = 0;
    }
    return 1;
}

/* From the first member of the root to the root's closing brace. */
static int members(cursor *c)
{
    int opened = 1;
    while (c->depth) {
        rest(c);
        if (opened && !skip_space(c))
            return 0;
        if (opened && *c->p == (in_object(c) ? '}' : ']')) {
            c->p++;
            c->depth--;
            opened = 0;
        } else {
            if (in_object(c) && !member(c))
                return 0;
            if (c->depth == 1 && c->name >= 0)
                c->r->span[c->name].start = (size_t)(c->p - c->body);
            else if (c->depth == 2 && c->inner >= 0)
                c->r->span[c->inner].start = (size_t)(c->p - c->body);
            if (!value(c, &opened))
                return 0;
            /* Only a direct member can be a file: an array's elements are read as text. */
            c->is_media = c->is_label = 0;
            if (opened)
                continue;
        }
        if (!after_value(c))
            return 0;
    }
    return 1;
}

void rq_run(rq_scan *r, const uint8_t *body, size_t n)
{
    cursor c = {.r = r, .body = body, .p = body, .end = body + n, .rest_at = body, .name = -1,
                .inner = -1, .root = ROOTS};
    rq_text_fn text = r->text, cut = r->cut, rested = r->rest;
    void *context = r->context;
    memset(r, 0, sizeof *r);
    r->text = text;
    r->cut = cut;
    r->rest = rested;
    r->context = context;
    r->duplicate = -1;
    if (!skip_space(&c))
        return;
    r->brace = (size_t)(c.p - body);
    if (*c.p != '{') {
        fail(&c, "a JSON object was expected");
        return;
    }
    open_container(&c);
    if (!members(&c))
        return;
    if (skip_space(&c))
        fail(&c, "bytes after the end");
    else
        r->error = NULL;
}
