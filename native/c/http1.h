/* HTTP/1.1 framing (RFC 9112): heads, lengths and chunks, strictly, without a copy.
 *
 * Invariants: every decision depends on the bytes alone, never on how they were split; no byte
 * outside what is given is read; lines end in CRLF and nothing else; what is ambiguous (two
 * lengths, a length beside a coding, folded lines, space before a colon) is an error, never a
 * guess. The caller keeps an unfinished head and gives it whole. This file must know nothing of
 * Python, of what headers mean beyond framing, or of who speaks. */
#ifndef TALLYGATE_HTTP1_H
#define TALLYGATE_HTTP1_H

#include <stddef.h>
#include <stdint.h>

enum {
    H1_MAX_HEADERS = 256,
    H1_MAX_OVERHEAD = 131072, /* bytes of framing in a row: chunk extensions and trailers */
    H1_MAX_SIZE_LINE = 18     /* of a chunk's size, its line end included */
};

typedef struct h1_span {
    uint32_t start, len; /* of the bytes given */
} h1_span;

typedef struct h1_head {
    uint32_t first; /* where the header lines start */
    uint32_t count;
    h1_span name[H1_MAX_HEADERS], value[H1_MAX_HEADERS]; /* values trimmed of space and tab */
} h1_head;

typedef enum h1_state {
    H1_HEAD,       /* waits for a head: give it to h1_response */
    H1_BODY,       /* `left` bytes of a body of known length */
    H1_TO_CLOSE,   /* the body ends where the connection does */
    H1_SIZE,       /* in a chunk's size */
    H1_PAD,        /* in white space after it */
    H1_EXTENSION,
    H1_SIZE_LF,
    H1_CHUNK,      /* `left` bytes of a chunk */
    H1_CHUNK_CR,
    H1_CHUNK_LF,
    H1_TRAILER,    /* at the start of a trailer line */
    H1_TRAILER_IN,
    H1_TRAILER_LF,
    H1_LAST_LF,
    H1_DONE,
    H1_FAILED
} h1_state;

typedef struct h1_body {
    uint8_t state, digits;
    uint64_t left;
    uint64_t overhead; /* bytes of framing since the last byte of the body */
} h1_body;

typedef struct h1_answer {
    uint16_t status;
    uint8_t keep_alive; /* as the head says; an answer that ends with the connection is not */
    h1_body body;
} h1_answer;

/* The length of the head that p begins with, its blank line included; 0: not yet whole. `from` is
 * where to go on looking after a longer p was given. */
size_t h1_head_length(const uint8_t *p, size_t n, size_t from);

/* Splits header lines: p from `at` to n holds lines and the blank line. Null or what is wrong. */
const char *h1_headers(const uint8_t *p, size_t n, size_t at, h1_head *head);

/* Reads a whole answer's head and says how its body is framed. Null or what is wrong. A status
 * below 200 leaves the state at H1_HEAD: another head follows. */
const char *h1_response(const uint8_t *p, size_t n, h1_head *head, h1_answer *answer);

/* Consumes framing up to the next bytes of the body. Returns the bytes consumed, those of the body
 * included, which are the last *len of them. Call it until all is consumed or the state says
 * H1_DONE or H1_FAILED. */
size_t h1_next(h1_body *b, const uint8_t *p, size_t n, size_t *len);

/* Where p is just one chunk in its shortest form and the body waits for one, consumes it as h1_next
 * would, and returns where its *len bytes stand; else 0, and nothing is consumed. */
size_t h1_lone_chunk(h1_body *b, const uint8_t *p, size_t n, size_t *len);

/* Writes the size line of a chunk so that it ends at `end`, which has H1_MAX_SIZE_LINE bytes before
 * it. Returns where it starts. */
uint8_t *h1_size_line(uint8_t *end, size_t size);

/* True when a header's name, in any case, is this lower-case one. */
int h1_named(const uint8_t *p, h1_span name, const char *lower, size_t len);

/* A header's value as a decimal number; -1 when it is not one or above 2^53. */
int64_t h1_number(const uint8_t *p, h1_span value);

#endif
