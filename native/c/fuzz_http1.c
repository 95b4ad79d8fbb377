/* Fuzzing of the HTTP/1.1 reader: any split must give the same body, state and verdict.
 *
 * With libFuzzer:
 *   clang -O1 -g -std=c11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *     fuzz_http1.c http1.c -o fuzz_http1
 * With any compiler: add -DSTANDALONE; `./fuzz_http1 RUNS [SEED]` then mutates built-in examples.
 *
 * The first byte of an input seeds the splits. Each piece is read from a block of its exact size,
 * so that ASan sees every byte read beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1.h"

enum { ROOM = 4096 };

typedef struct outcome {
    int failed, done, status, keep_alive;
    size_t body_len, used;
    uint8_t body[ROOM];
} outcome;

static void die(const char *why)
{
    fprintf(stderr, "fuzz_http1: %s\n", why);
    abort();
}

static uint8_t *exact(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        die("no memory");
    if (n)
        memcpy(copy, p, n);
    return copy;
}

/* The body's part of one piece, as the reader of answers takes it. */
static void take_body(h1_answer *answer, const uint8_t *p, size_t n, outcome *o)
{
    size_t at = 0, len;
    while (at < n) {
        size_t used = h1_next(&answer->body, p + at, n - at, &len);
        if (used > n - at || len > used)
            die("more was consumed than given");
        if (len > ROOM - o->body_len)
            die("more body than input");
        memcpy(o->body + o->body_len, p + at + used - len, len);
        o->body_len += len;
        at += used;
        o->used += used;
        if (answer->body.state == H1_DONE || answer->body.state == H1_FAILED)
            return;
        if (!used)
            die("no progress");
    }
}

static void read_all(const uint8_t *p, size_t n, unsigned seed, outcome *o)
{
    static h1_head head;
    h1_answer answer = {.body = {.state = H1_HEAD}};
    size_t at = 0, kept = 0;
    memset(o, 0, sizeof *o);
    while (at < n && !o->failed && answer.body.state != H1_DONE) {
        size_t step = n - at;
        uint8_t *piece;
        if (seed) {
            seed = seed * 1103515245u + 12345u;
            step = 1 + (seed >> 16) % 9;
            if (step > n - at)
                step = n - at;
        }
        if (answer.body.state != H1_HEAD) {
            piece = exact(p + at, step);
            take_body(&answer, piece, step, o);
            free(piece);
            at += step;
        } else {
            /* The head is kept until it is whole: all of it is given again. */
            size_t length;
            piece = exact(p + kept, at + step - kept);
            length = h1_head_length(piece, at + step - kept, at - kept);
            at += step;
            if (length) {
                size_t rest = at - kept - length;
                if (h1_response(piece, length, &head, &answer)) {
                    o->failed = 1;
                } else {
                    kept += length;
                    o->used = kept;
                    o->status = answer.status;
                    if (answer.body.state == H1_HEAD)
                        at = kept;
                    else
                        take_body(&answer, piece + length, rest, o);
                }
            }
            free(piece);
        }
        if (answer.body.state == H1_FAILED)
            o->failed = 1;
    }
    o->done = answer.body.state == H1_DONE;
    o->keep_alive = answer.keep_alive;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static outcome whole, split;
    static h1_head head;
    if (size < 2 || size > ROOM)
        return 0;
    read_all(data + 1, size - 1, 0, &whole);
    read_all(data + 1, size - 1, 1u + data[0], &split);
    if (whole.failed != split.failed || whole.done != split.done || whole.status != split.status)
        die("the verdict depends on the split");
    if (whole.body_len != split.body_len || memcmp(whole.body, split.body, whole.body_len) != 0)
        die("the body depends on the split");
    if (whole.done && (whole.used != split.used || whole.keep_alive != split.keep_alive))
        die("the end depends on the split");
    uint8_t *piece = exact(data + 1, size - 1);
    if (!h1_headers(piece, size - 1, 0, &head))
        for (uint32_t i = 0; i < head.count; i++) {
            if (head.value[i].start + head.value[i].len > size - 1 || !head.name[i].len)
                die("a header stands outside the head");
            h1_number(piece, head.value[i]);
        }
    free(piece);
    return 0;
}

#ifdef STANDALONE
static const char *const EXAMPLES[] = {
    "\1HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    "\2HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
    "\3HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.0 404 No\r\nConnection: keep-alive\r\n\r\nend",
    "\4A: b\r\nContent-Length: 12 \r\nC:\t d\t\r\n\r\n",
};

int main(int argc, char **argv)
{
    static const char BYTES[] = "\r\n :;,0aF\t\0x\x80TC";
    long runs = argc > 1 ? atol(argv[1]) : 100000;
    srand(argc > 2 ? (unsigned)atoi(argv[2]) : 1);
    for (long run = 0; run < runs; run++) {
        uint8_t input[ROOM];
        const char *example = EXAMPLES[rand() % 4];
        size_t size = strlen(example);
        memcpy(input, example, size);
        for (int changes = rand() % 4; changes; changes--) {
            size_t at = (size_t)rand() % size;
            if (rand() % 3)
                input[at] = (uint8_t)BYTES[(size_t)rand() % (sizeof BYTES - 1)];
            else
                memmove(input + at, input + at + 1, --size - at);
        }
        input[0] = (uint8_t)rand();
        LLVMFuzzerTestOneInput(input, size);
    }
    printf("fuzz_http1: %ld runs, nothing found\n", runs);
    return 0;
}
#endif
