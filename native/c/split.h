/* The resumable splitter: finds where the current piece ends, whatever its family.
 *
 * The family is a transition table over character classes (native/vocab/automaton.py). It stops at
 * the end of what it has been given, in the middle of a character if need be, and goes on from
 * there: so any cutting of the text gives the same pieces by construction.
 */
#ifndef TALLYGATE_SPLIT_H
#define TALLYGATE_SPLIT_H

#include "bpe.h"

enum { TG_MATCH = 0x80, TG_DEAD = 0x7F, TG_END_CLASS = TG_ROW - 1 };

/* What a scan found. */
enum {
    TG_MORE,   /* all read, the piece may go on */
    TG_PIECE,  /* the piece is the first `accept` bytes */
    TG_INVALID /* at `at` stand `bad` bytes that are no UTF-8 */
};

typedef struct {
    size_t at;     /* next byte to read, counted from the piece's start */
    size_t accept; /* end of the longest piece found so far; 0: none yet */
    uint32_t state;
    uint32_t bad;
} tg_scan;

/* Size of the character at `p`; 0 when the bytes end inside it; negative: minus the number of bytes
 * that stand for one U+FFFD (the maximal subpart, Unicode 3.9 table 3-8, as Python replaces). */
static inline int tg_utf8_size(const uint8_t *p, size_t left, uint32_t *point) {
    uint32_t lead = p[0], low = 0x80, high = 0xBF;
    int size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4) return -1;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    uint32_t value = lead & (0x7Fu >> size);
    for (int i = 1; i < size; i++) {
        if ((size_t)i >= left) return 0;
        if (p[i] < low || p[i] > high) return -i;
        value = value << 6 | (p[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *point = value;
    return size;
}

static inline uint32_t tg_class_of(const tg_vocab *vocab, uint32_t point) {
    return vocab->blocks[(uint32_t)vocab->first[point >> 7] << 7 | (point & 127)];
}

/* Read on from `scan` in the `size` bytes of the piece and what follows it. */
static inline int tg_scan_piece(const tg_vocab *vocab, const uint8_t *piece, size_t size,
                                tg_scan *scan) {
    size_t at = scan->at, accept = scan->accept;
    uint32_t state = scan->state;
    int found = TG_MORE;
    while (at < size) {
        uint32_t byte = piece[at], kind, point;
        int length = 1;
        if (byte < 0x80) {
            kind = vocab->ascii[byte];
        } else {
            length = tg_utf8_size(piece + at, size - at, &point);
            if (length <= 0) {
                if (!length) break;
                scan->bad = (uint32_t)-length;
                found = TG_INVALID;
                break;
            }
            kind = tg_class_of(vocab, point);
        }
        uint32_t next = vocab->rows[state * TG_ROW + kind];
        if (next & TG_MATCH) accept = at;
        next &= TG_DEAD;
        if (next == TG_DEAD) {
            found = TG_PIECE;
            break;
        }
        state = next;
        at += (size_t)length;
    }
    scan->at = at;
    scan->accept = accept;
    scan->state = state;
    return found;
}

/* The text ends after the `size` bytes read: the piece's length. */
static inline size_t tg_scan_end(const tg_vocab *vocab, const tg_scan *scan, size_t size) {
    if (vocab->rows[scan->state * TG_ROW + TG_END_CLASS] & TG_MATCH) return size;
    return scan->accept ? scan->accept : size;
}

/* The length of the piece a scan has found. A table that never says where its piece may end does
 * not exist; if it did, the piece would be what was read. */
static inline size_t tg_piece_size(const tg_scan *scan) {
    return scan->accept ? scan->accept : scan->at ? scan->at : 1;
}

/* Split and count `text`, which begins at a piece's start, as far as it is decided: returns the
 * bytes decided, adding their tokens to `*tokens`. Stops before a piece that is not decided within
 * `size` or holds invalid UTF-8, so it may return 0. */
size_t tg_bulk(tg_vocab *vocab, const uint8_t *text, size_t size, uint64_t *tokens);
size_t tg_bulk_avx2(tg_vocab *vocab, const uint8_t *text, size_t size, uint64_t *tokens);

#endif
