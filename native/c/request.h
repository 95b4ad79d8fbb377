/* One strict pass over a request body: validity, the members the proxy edits, the prompt's text.
 *
 * Invariants: the work is linear and the state fixed, whatever the body; the whole document is
 * valid JSON in UTF-8 (RFC 8259, RFC 3629) with an object as its root, or `error` says where it is
 * not; no byte outside the body is read. Spans are byte offsets of values of top-level members. A
 * key is compared decoded, so "mod\u0065l" is model here as it is for the provider. This file must
 * know nothing of Python, dialects' rules or prices. */
#ifndef TALLYGATE_REQUEST_H
#define TALLYGATE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

enum { RQ_NAMES = 51, RQ_MAX_DEPTH = 128, RQ_KEY_MAX = 64 };
enum { RQ_REST_BYTES = 32 * 1024 };

typedef struct rq_span {
    size_t start, end; /* end 0: absent */
} rq_span;

typedef void (*rq_text_fn)(void *context, const uint8_t *utf8, size_t n);

typedef struct rq_scan {
    rq_text_fn text; /* gets every piece of the prompt's text, or null */
    rq_text_fn cut;  /* called at the end of each string of it */
    rq_text_fn rest; /* called about every RQ_REST_BYTES, or null: lets others have their turn */
    void *context;
    rq_span span[RQ_NAMES];
    int duplicate;   /* index of the first name that came twice, or -1 */
    size_t brace;    /* offset of the root's '{' */
    size_t error_at;
    const char *error; /* null: valid */
    uint64_t text_bytes;  /* decoded bytes of the prompt's text */
    uint64_t media_bytes; /* bytes of encoded files and of addresses of media, not counted as text */
    uint32_t media_parts;
    int watched;    /* one of the members came that need a look before the request may pass */
    int references; /* the prompt has a member that may point to what a provider keeps */
    int caches;     /* the body has a cache_control */
    uint32_t messages, tools; /* elements of `messages` or `input`, and of `tools` or `functions` */
} rq_scan;

/* Scans the body. The four callback fields are the caller's to set; all others are results. */
void rq_run(rq_scan *r, const uint8_t *body, size_t n);

/* The index in span of a name, of the top level or inside one of its members; or -1. */
int rq_name(const char *name, int inside);

const char *rq_name_at(int index);

#endif
