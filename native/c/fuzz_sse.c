/* Fuzzing of the stream, body and request scanners: any split must give the same result.
 *
 * With libFuzzer (coverage-guided):
 *   clang -O1 -g -std=c11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *     fuzz_sse.c sse.c jsonscan.c jsontext.c jsonpath.c request.c usage.c -o fuzz_sse
 *   ./fuzz_sse -max_len=512 -dict=fuzz_sse.dict CORPUS_DIRECTORY
 * With any compiler: add -DSTANDALONE; `./fuzz_sse RUNS [SEED]` then mutates built-in examples.
 *
 * The first byte of an input picks dialect and options, the second seeds the splits. Each piece is
 * scanned from a block of its exact size, so that ASan sees every byte read beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "sse.h"
#include "usage.h"

enum { ROOM = 2048, HEARD = 4 * ROOM, LONGEST = 1024 };

/* Everything observable about a run. */
typedef struct outcome {
    size_t out_len, held_len, heard_len;
    uint64_t events, malformed, usage_events;
    int ending, done, truncated, seen, output, complete;
    uint32_t voices, speakers;
    uint8_t mark[3];
    uint8_t out[ROOM], held[ROOM], heard[HEARD];
    js_buf kept[3];
    uint8_t kept_bytes[3][ROOM];
    uint8_t model_len, tier_len, model[JS_SMALL_MAX], tier[32];
} outcome;

static void die(const char *why)
{
    fprintf(stderr, "fuzz_sse: %s\n", why);
    abort();
}

static void append(uint8_t *to, size_t *len, size_t room, const uint8_t *p, size_t n)
{
    if (n > room - *len)
        die("more bytes out than in");
    if (n)
        memcpy(to + *len, p, n);
    *len += n;
}

/* Text of one voice after another would hide interleaving, so each piece notes its turn. */
static void hear(void *context, js_voice *voice, int kind, const uint8_t *utf8, size_t n)
{
    outcome *o = context;
    /* Voices are numbered in the order they speak: their addresses may change. */
    if (!voice->counter)
        voice->counter = (void *)(uintptr_t)++o->speakers;
    uint8_t mark[3] = {0xFF, (uint8_t)(uintptr_t)voice->counter, (uint8_t)kind};
    if (n == 0 || kind == JS_UNCOUNTED)
        die("empty or uncounted text");
    if (memcmp(mark, o->mark, 3) || voice->fresh)
        append(o->heard, &o->heard_len, sizeof o->heard, mark, 3);
    memcpy(o->mark, mark, 3);
    voice->fresh = 0;
    voice->kind = (uint8_t)kind;
    append(o->heard, &o->heard_len, sizeof o->heard, utf8, n);
}

static void note(outcome *o, js_scan *j)
{
    js_finish(j);
    o->malformed = j->malformed_events;
    o->usage_events = j->usage_events;
    o->seen = j->seen;
    o->output = j->output;
    o->voices = j->voice_count;
    for (int i = 0; i < 3; i++) {
        o->kept[i].len = j->kept[i].len;
        if (j->kept[i].len)
            memcpy(o->kept_bytes[i], j->kept[i].data, j->kept[i].len);
    }
    o->model_len = j->model_len;
    o->tier_len = j->tier_len;
    memcpy(o->model, j->model, j->model_len);
    memcpy(o->tier, j->tier, j->tier_len);
    js_free(j);
}

/* Leaves no trace, as outcomes are compared whole. */
static void forget_held(outcome *o)
{
    memset(o->held, 0, o->held_len);
    o->held_len = 0;
}

/* Does with codes what the owner of a stream does with them; p is a piece of exact size. */
static void forward(outcome *o, sse_scan *s, const uint8_t *p, size_t n)
{
    size_t at = 0, start = 0, used;
    while (at < n && !s->done) {
        sse_code code = sse_feed(s, p + at, n - at, &used);
        at += used;
        if (code == SSE_MORE && at != n)
            die("stopped for nothing");
        if (code == SSE_LF) {
            start = at;
        } else if (code == SSE_REMOVED || code == SSE_ENDING) {
            size_t back = (size_t)(code == SSE_REMOVED ? s->event_len : s->back);
            if (back <= at) {
                append(o->out, &o->out_len, ROOM, o->held, o->held_len);
                if (at - back < start)
                    die("an event before its predecessor's end");
                append(o->out, &o->out_len, ROOM, p + start, at - back - start);
                forget_held(o);
                start = code == SSE_REMOVED ? at : at - back;
            } else if (code == SSE_REMOVED) {
                if (back - at != o->held_len)
                    die("what is held is not what is removed");
                forget_held(o);
                start = at;
            }
        }
    }
    if (!s->ending) {
        size_t keep = sse_must_hold(s) ? (size_t)s->carry : 0;
        if (keep <= n) {
            append(o->out, &o->out_len, ROOM, o->held, o->held_len);
            append(o->out, &o->out_len, ROOM, p + start, n - keep - start);
            forget_held(o);
            start = n - keep;
        }
    }
    append(o->held, &o->held_len, ROOM, p + start, n - start);
}

/* Splits of at most `most` bytes; 0: no split. */
static void run(outcome *o, const uint8_t *data, size_t n, int option, size_t most, uint32_t seed)
{
    static const int bodies[] = {JS_CHAT_BODY, JS_RESPONSES_BODY, JS_ANTHROPIC_BODY};
    int streamed = !(option & 8);
    js_scan j;
    sse_scan s;
    memset(o, 0, sizeof *o);
    int dialect = streamed ? option & 3 : bodies[(option & 3) % 3];
    if (option & 16)
        dialect = streamed ? JS_GEMINI : JS_GEMINI_BODY;
    if (option & 32)
        dialect = streamed ? JS_CONVERSE : JS_CONVERSE_BODY;
    js_init(&j, js_table_of(dialect), 5, hear, o);
    sse_init(&s, &j, option & 4);
    for (size_t at = 0; at < n;) {
        seed = seed * 1664525 + 1013904223;
        size_t take = most ? 1 + (seed >> 16) % most : n;
        if (take > n - at)
            take = n - at;
        /* Single bytes are scanned in place: their blocks would cost more than all the rest. */
        uint8_t *block = most == 1 ? NULL : malloc(take);
        if (block)
            memcpy(block, data + at, take);
        const uint8_t *piece = block ? block : data + at;
        if (streamed)
            forward(o, &s, piece, take);
        else
            js_feed(&j, piece, take);
        free(block);
        at += take;
    }
    if (streamed) {
        /* How much of an event had passed before it began to tell an error is the split's affair. */
        if (!s.ending && ((j.captured && j.event[JS_ERROR].present) || (j.flags & JS_TYPE_ERROR))) {
            append(o->out, &o->out_len, ROOM, o->held, o->held_len);
            forget_held(o);
        }
        o->truncated = sse_finish(&s);
        o->ending = s.ending;
        o->done = s.done;
        o->events = s.events;
        if (!s.remove_usage && (o->out_len + o->held_len != n
            || memcmp(o->out, data, o->out_len) || memcmp(o->held, data + o->out_len, o->held_len)))
            die("bytes were changed");
    } else {
        int usage;
        o->complete = js_end(&j, &usage) >= 0;
    }
    note(o, &j);
}

static void count_text(void *context, const uint8_t *utf8, size_t n)
{
    (void)utf8;
    *(uint64_t *)context += n;
}

/* Two parsers of one grammar must agree, but for what only the strict one refuses. */
static void compare_request(const uint8_t *data, size_t n, int complete)
{
    uint64_t heard = 0;
    us_report report;
    rq_scan r = {.text = count_text, .context = &heard};
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, data, n);
    rq_run(&r, copy, n);
    if (us_read(copy, n, &report) && r.error && strcmp(r.error, "nested too deeply"))
        die("the usage reader accepts what is not JSON");
    free(copy);
    if (heard != r.text_bytes || r.error_at > n)
        die("miscounted");
    if (!r.error && !complete)
        die("the request scan accepts what the incremental one refuses");
    if (r.error && complete && strcmp(r.error, "invalid UTF-8")
        && strcmp(r.error, "nested too deeply") && strcmp(r.error, "a JSON object was expected"))
        die("the request scan refuses what the incremental one accepts");
    for (int i = 0; i < RQ_NAMES; i++)
        if (!r.error && r.span[i].end && (r.span[i].end > n || r.span[i].start >= r.span[i].end))
            die("a bad span");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static outcome whole, split;
    if (n < 2 || n > LONGEST)
        return 0;
    int option = data[0] & 63;
    uint32_t seed = data[1];
    data += 2;
    n -= 2;
    run(&whole, data, n, option, 0, 0);
    run(&split, data, n, option, 1 + seed % 23, seed);
    if (memcmp(&whole, &split, sizeof whole))
        die("a split changed the result");
    run(&split, data, n, option, 1, 0);
    if (memcmp(&whole, &split, sizeof whole))
        die("byte by byte gave another result");
    if (option & 8)
        compare_request(data, n, whole.complete);
    return 0;
}

#ifdef STANDALONE
static const char *const SEEDS[] = {
    "\x04\x01: hi\n\ndata: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"},"
    "\"index\":0}]}\r\n\r\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
    "\x02\x02" "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":"
    "{\"usage\":{\"input_tokens\":1}}}\r\rdata: x\n\n",
    "\x03\x03" "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\u00e9\"}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    "\x08\x04{\"model\":\"gpt\",\"messages\":[{\"content\":\"\\n[1.5e+3]\"}],\"n\":1,\"usage\":{}}",
    "\x10\x05" "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\ud83d\",\"thought\":true},"
    "{\"text\":\"b\"},{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}}]},\"index\":0}]}\r\n\r\n",
    "\x18\x06{\"candidates\":[{\"content\":{\"parts\":[{\"thought\":true,\"text\":\"a\"},{\"text\":\"b\"}"
    "]},\"finishReason\":\"STOP\"}],\"contents\":[{\"type\":\"x\"}],\"metadata\":{\"user_id\":\"u\"}}"};

int main(int argc, char **argv)
{
    long runs = argc > 1 ? atol(argv[1]) : 100000;
    uint64_t x = argc > 2 ? (uint64_t)atol(argv[2]) : 1;
    static const char spice[] = "{}[]\",:\\\r\n \tdu0e-.";
    for (long i = 0; i < runs; i++) {
        uint8_t input[512];
        const char *seed = SEEDS[i % 6];
        size_t n = strlen(seed + 2) + 2;
        memcpy(input, seed, n);
        for (int edits = (int)(i % 9); edits > 0; edits--) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            uint8_t with = x >> 63 ? (uint8_t)(x >> 40) : (uint8_t)spice[(x >> 40) % 18];
            size_t at = (size_t)(x >> 33) % n;
            if ((x >> 60 & 1) && n < sizeof input) {
                memmove(input + at + 1, input + at, n - at);
                n++;
            }
            input[at] = with;
        }
        LLVMFuzzerTestOneInput(input, n);
    }
    printf("fuzz_sse: %ld runs, no difference\n", runs);
    return 0;
}
#endif
