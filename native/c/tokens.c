/* The streaming counter. It keeps the bytes of the one undecided piece, at most TG_TAIL of them;
 * of a longer piece it keeps a prefix count (bpe_prefix.h) and, where the piece may yet end earlier
 * than its last byte, a second counter for what would then follow. Memory is constant. */
#include "tokens.h"

#include "bpe_prefix.h"
#include "bpe_word.h"
#include "split.h"

#include <stdlib.h>

/* An undecided piece over TG_PIECE_MAX bytes. `prefix` has read the piece up to the tail; the tail
 * holds what follows. */
struct tg_giant {
    tg_counter *second; /* has read what follows the last place where the piece may end, up to the
                         * tail; NULL: that place is where the tail begins */
    uint64_t tokens;    /* up to that place, if there is a second */
    tg_prefix prefix;
};

void tg_counter_start(tg_counter *counter, tg_vocab *vocab) {
    memset(counter, 0, offsetof(tg_counter, tail));
    counter->vocab = vocab;
}

static void drop_giant(tg_counter *c) {
    if (!c->giant) return;
    if (c->giant->second) {
        tg_counter_clear(c->giant->second);
        free(c->giant->second);
    }
    free(c->giant);
    c->giant = NULL;
}

void tg_counter_clear(tg_counter *counter) {
    drop_giant(counter);
}

void tg_counter_switch(tg_counter *counter, tg_vocab *vocab) {
    for (; counter; counter = counter->giant ? counter->giant->second : NULL) counter->vocab = vocab;
}

/* Feeds are small and so are tails: copies of up to 16 bytes are made in place of a library call. */
static inline void copy(uint8_t *to, const uint8_t *from, uint32_t size) {
    if (size >= 4 && size <= 8) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
    } else if (size < 4) {
        for (uint32_t i = 0; i < size; i++) to[i] = from[i];
    } else {
        memcpy(to, from, size);
    }
}

static inline void shift_tail(tg_counter *c, uint32_t size) {
    c->tail_size -= size;
    if (c->tail_size <= 16) { /* the tail's padding lets it move 16 whatever there is */
        uint64_t pair[2];
        memcpy(pair, c->tail + size, 16);
        memcpy(c->tail, pair, 16);
    } else {
        memmove(c->tail, c->tail + size, c->tail_size);
    }
}

/* Put U+FFFD in the place of the `bad` bytes at `at`; what stood behind them is the caller's to
 * append again. */
static void replace_bad(tg_counter *c, uint32_t at) {
    memcpy(c->tail + at, "\xEF\xBF\xBD", 3);
    c->tail_size = at + 3;
}

/* Split and count the tail as far as it is decided. Returns how many of its last bytes are given
 * back to be appended again, behind a replaced one (`*replaced` is then set; it may be the last). */
static uint32_t drain(tg_counter *c, int *replaced) {
    tg_scan scan = {c->at, c->accept, c->state, 0};
    uint32_t start = 0, back = 0;
    for (;;) {
        int found = tg_scan_piece(c->vocab, c->tail + start, c->tail_size - start, &scan);
        if (found == TG_PIECE) {
            size_t size = tg_piece_size(&scan);
            c->decided += tg_count_padded(c->vocab, c->tail + start, size);
            start += (uint32_t)size;
            scan = (tg_scan){0, 0, 0, 0};
            continue;
        }
        if (found == TG_MORE) break;
        uint32_t at = start + (uint32_t)scan.at;
        back += c->tail_size - at - scan.bad;
        replace_bad(c, at);
        *replaced = 1;
    }
    if (start) shift_tail(c, start);
    c->at = (uint32_t)scan.at;
    c->accept = (uint32_t)scan.accept;
    c->state = scan.state;
    return back;
}

/* The tail has outgrown a piece's measure: count it by prefixes from now on. */
static void begin_giant(tg_counter *c) {
    struct tg_giant *giant = malloc(sizeof *giant);
    if (!giant) {
        /* Out of memory: cut the piece here rather than fail. */
        tg_counter_boundary(c);
        return;
    }
    tg_prefix_start(c->vocab, &giant->prefix);
    giant->second = NULL;
    c->giant = giant;
}

/* Places where the piece may end are read up to in steps of so many bytes, and at its end. */
#define TG_GIANT_STEP 64

/* The piece may end at `accept` in the tail: read the prefix up to there. */
static void pass_accept(tg_counter *c, uint32_t accept) {
    struct tg_giant *giant = c->giant;
    if (giant->second) {
        tg_counter_clear(giant->second);
        free(giant->second);
        giant->second = NULL;
    }
    tg_prefix_feed(c->vocab, &giant->prefix, c->tail, accept);
    shift_tail(c, accept);
    c->at -= accept;
    c->accept = 0;
}

/* The giant piece ends where it last could; what was read beyond begins the next piece. */
static void end_giant(tg_counter *c) {
    uint8_t rest[TG_TAIL];
    uint32_t size = c->tail_size;
    struct tg_giant *giant = c->giant;
    tg_counter *second = giant->second;
    uint64_t decided = c->decided;
    decided += second ? giant->tokens : tg_prefix_tokens(c->vocab, &giant->prefix);
    memcpy(rest, c->tail, size);
    free(giant);
    if (second) {
        *c = *second;
        free(second);
    } else {
        tg_counter_start(c, c->vocab);
    }
    c->decided += decided;
    tg_counter_feed(c, rest, size);
}

/* A long stretch after the last possible end: both ways of going on read it, and the tail is free
 * again. Without a second counter for want of memory the piece is cut here. */
static void push_tail(tg_counter *c) {
    struct tg_giant *giant = c->giant;
    if (!giant->second) {
        giant->second = malloc(sizeof *giant->second);
        if (!giant->second) {
            tg_counter_boundary(c);
            return;
        }
        tg_counter_start(giant->second, c->vocab);
        giant->tokens = tg_prefix_tokens(c->vocab, &giant->prefix);
    }
    tg_counter_feed(giant->second, c->tail, c->at);
    tg_prefix_feed(c->vocab, &giant->prefix, c->tail, c->at);
    shift_tail(c, c->at);
    c->at = 0;
}

/* Read the tail on as part of the giant piece. Returns bytes given back, as `drain` does. */
static uint32_t drain_giant(tg_counter *c) {
    uint32_t back = 0;
    for (;;) {
        tg_scan scan = {c->at, c->accept, c->state, 0};
        int found = tg_scan_piece(c->vocab, c->tail, c->tail_size, &scan);
        c->at = (uint32_t)scan.at;
        c->accept = (uint32_t)scan.accept;
        c->state = scan.state;
        if (found == TG_INVALID) {
            back += c->tail_size - c->at - scan.bad;
            replace_bad(c, c->at);
        }
        if (c->accept >= TG_GIANT_STEP || (c->accept && found == TG_PIECE)) pass_accept(c, c->accept);
        if (found == TG_PIECE) {
            end_giant(c);
            return back;
        }
        if (found == TG_MORE) break;
    }
    if (c->tail_size > TG_PIECE_MAX && c->accept) pass_accept(c, c->accept);
    if (c->tail_size > TG_PIECE_MAX) push_tail(c);
    return back;
}

/* Below this a feed is cheaper byte by byte than by windows; measured by bench_tokens.py. */
#define TG_BULK_LEAST 96
#define TG_BULK_LEAD 64

void tg_counter_feed(tg_counter *c, const uint8_t *data, size_t size) {
    while (size) {
        int bulk = size >= TG_BULK_LEAST && !c->giant;
        if (bulk && !c->tail_size) {
            size_t used = tg_bulk(c->vocab, data, size, &c->decided);
            data += used;
            size -= used;
            if (!size) return;
            bulk = size >= TG_BULK_LEAST;
        }
        uint32_t old = c->tail_size, room = TG_TAIL - old;
        if (bulk && room > TG_BULK_LEAD) room = TG_BULK_LEAD;
        uint32_t taken = size < room ? (uint32_t)size : room;
        copy(c->tail + old, data, taken);
        c->tail_size += taken;
        int replaced = 0;
        uint32_t back = c->giant ? drain_giant(c) : drain(c, &replaced);
        data += taken - back;
        size -= taken - back;
        if (c->giant) continue;
        if (c->tail_size > TG_PIECE_MAX) {
            begin_giant(c);
            if (c->giant && c->accept) pass_accept(c, c->accept);
        } else if (bulk && !replaced && c->tail_size < old + taken && c->tail_size <= taken) {
            /* What is pending lies whole in `data`: go on from there in bulk. */
            data -= c->tail_size;
            size += c->tail_size;
            c->tail_size = c->at = c->accept = c->state = 0;
        }
    }
}

/* The text ends inside a character: Python, like others, decodes the rest as one U+FFFD. */
static void end_character(tg_counter *c) {
    int replaced = 0;
    if (c->at == c->tail_size) return;
    replace_bad(c, c->at);
    if (c->giant) drain_giant(c);
    else drain(c, &replaced);
}

void tg_counter_boundary(tg_counter *c) {
    int replaced = 0;
    for (;;) {
        end_character(c);
        tg_scan scan = {c->at, c->accept, c->state, 0};
        if (c->giant) {
            if (c->vocab->rows[c->state * TG_ROW + TG_END_CLASS] & TG_MATCH)
                pass_accept(c, c->tail_size);
            else if (c->accept)
                pass_accept(c, c->accept);
            end_giant(c);
        } else if (c->tail_size) {
            uint32_t size = (uint32_t)tg_scan_end(c->vocab, &scan, c->tail_size);
            c->decided += tg_count_padded(c->vocab, c->tail, size);
            shift_tail(c, size);
            c->at = c->accept = c->state = 0;
            drain(c, &replaced);
        } else {
            return;
        }
    }
}
