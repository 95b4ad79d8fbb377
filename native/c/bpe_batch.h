/* Counting many pieces of wide characters together.
 *
 * Counts add up in any order, so pieces are collected, the memory each will need is asked for at
 * once, and the walks then find it there. A batch points into the text: flush it before the text
 * goes away. */
#ifndef TALLYGATE_BPE_BATCH_H
#define TALLYGATE_BPE_BATCH_H

#include "bpe.h"

#define TG_BATCH 16
#define TG_BATCH_PIECE_MAX 96 /* longer pieces overlap enough by themselves */

typedef struct {
    const uint8_t *piece[TG_BATCH];
    uint32_t size[TG_BATCH];
    uint32_t n;
} tg_batch;

/* Add a piece of at most TG_BATCH_PIECE_MAX bytes with TG_PAD readable behind it; returns the
 * tokens of the batch when this filled it, else 0. */
uint64_t tg_batch_add(tg_vocab *vocab, tg_batch *batch, const uint8_t *piece, uint32_t size);
uint64_t tg_batch_flush(tg_vocab *vocab, tg_batch *batch);

/* Count a piece found one by one in a text that goes on for `left` bytes from its start: wide
 * characters by batch, the rest at once. */
static inline uint64_t tg_count_scanned(tg_vocab *vocab, tg_batch *batch, const uint8_t *piece,
                                        size_t size, size_t left) {
    if (left < size + TG_PAD) return tg_count_piece(vocab, piece, size);
    if (piece[size - 1] >= 0x80 && size <= TG_BATCH_PIECE_MAX)
        return tg_batch_add(vocab, batch, piece, (uint32_t)size);
    return tg_count_padded(vocab, piece, size);
}

#endif
