#include "bpe_batch.h"

#include "bpe_long.h"
#include "bpe_word.h"

/* Ask for what the piece's look-up reads first. */
uint64_t tg_batch_add(tg_vocab *vocab, tg_batch *batch, const uint8_t *piece, uint32_t size) {
    if (size <= 7) {
        uint64_t hash = tg_hash(tg_key7(tg_load8(piece), size));
        __builtin_prefetch(&vocab->cache7[hash & ((1u << TG_CACHE7_BITS) - 1)]);
        __builtin_prefetch(&vocab->words7[hash & vocab->words7_mask]);
    } else if (size <= 15) {
        uint64_t low = tg_load8(piece), high = tg_key7(tg_load8(piece + 8), size - 8);
        uint64_t hash = tg_hash16(low, high);
        __builtin_prefetch(&vocab->cache15[hash & ((1u << TG_CACHE15_BITS) - 1)]);
        __builtin_prefetch(&vocab->words15[hash & vocab->words15_mask]);
    } else if (tg_fits31(piece, size)) {
        tg_key31 key;
        __builtin_prefetch(tg_slot31(vocab, piece, size, &key));
    }
    if (size > 6) tg_greedy_prefetch(vocab, piece, size);
    batch->piece[batch->n] = piece;
    batch->size[batch->n] = size;
    return ++batch->n == TG_BATCH ? tg_batch_flush(vocab, batch) : 0;
}

typedef struct {
    uint32_t tokens[TG_BATCH][TG_BATCH_PIECE_MAX];
    uint32_t count[TG_BATCH], index[TG_BATCH];
    uint32_t n;
} walks;

/* First round: what the tables know; longest matches for the rest. */
static uint64_t walk_all(tg_vocab *vocab, const tg_batch *batch, walks *w) {
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < batch->n; i++) {
        const uint8_t *piece = batch->piece[i];
        uint32_t size = batch->size[i], found = 0;
        if (size <= 7) {
            found = tg_count7_padded(vocab, piece, size);
        } else if (size <= 15) {
            uint64_t low = tg_load8(piece), high = tg_key7(tg_load8(piece + 8), size - 8);
            found = tg_find15(vocab, low, high, tg_hash16(low, high));
        } else {
            if (tg_fits31(piece, size)) {
                tg_key31 key, *slot = tg_slot31(vocab, piece, size, &key);
                found = tg_match31(slot, &key);
            }
            if (!found && tg_is_literal(vocab, piece, size)) found = 1;
        }
        tokens += found;
        if (found) continue;
        w->count[w->n] = tg_greedy_walk(vocab, piece, size, w->tokens[w->n]);
        w->index[w->n++] = i;
    }
    return tokens;
}

/* Second round: are the walks the encodings? */
static uint64_t check_all(tg_vocab *vocab, const tg_batch *batch, const walks *w) {
    uint64_t tokens = 0;
    for (uint32_t k = 0; k < w->n; k++) {
        const uint8_t *piece = batch->piece[w->index[k]];
        uint32_t size = batch->size[w->index[k]];
        uint64_t count = w->count[k];
        for (uint32_t i = 1; i < w->count[k]; i++) {
            if (tg_valid_pair(vocab, w->tokens[k][i - 1], w->tokens[k][i])) continue;
            count = tg_long_count(vocab, piece, size);
            break;
        }
        if (size <= 15) {
            tg_store15(vocab, piece, size, (uint32_t)count);
        } else if (tg_fits31(piece, size)) {
            tg_key31 key, *slot = tg_slot31(vocab, piece, size, &key);
            tg_store31(slot, key, (uint32_t)count);
        }
        tokens += count;
    }
    return tokens;
}

uint64_t tg_batch_flush(tg_vocab *vocab, tg_batch *batch) {
    walks w;
    w.n = 0;
    uint64_t tokens = walk_all(vocab, batch, &w);
    tokens += check_all(vocab, batch, &w);
    batch->n = 0;
    return tokens;
}
