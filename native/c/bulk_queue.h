/* Pieces waiting to be counted, so that their memory accesses overlap.
 *
 * Splitting runs ahead and asks for the cache slot of each piece; a full queue is then counted in
 * rounds: the caches, without branches, and for what they do not know the tables, asked for first.
 * A queue of long pieces points into the text: flush it before the text goes away.
 */
#ifndef TALLYGATE_BULK_QUEUE_H
#define TALLYGATE_BULK_QUEUE_H

#include "bpe_batch.h"
#include "bpe_word.h"

#include <immintrin.h>

#define TG_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define TG_INLINE static inline __attribute__((always_inline))

#define TG_QUEUE 64              /* flushed at this many pieces */
#define TG_QUEUE_ROOM (2 * TG_QUEUE) /* a window adds fewer than 64 */

typedef struct {
    uint64_t key[TG_QUEUE_ROOM], hash[TG_QUEUE_ROOM]; /* pieces of up to 7 bytes */
    const uint8_t *piece[TG_QUEUE_ROOM];              /* longer ones */
    uint32_t size[TG_QUEUE_ROOM];
    uint32_t n, n_long;
    tg_batch batch; /* what the tables do not know either */
} tg_queue;

/* Add a piece with TG_PAD readable bytes behind it. Branch-free: whether it is short is as good as
 * random to the processor. */
TG_AVX2 TG_INLINE void tg_queue_add(const tg_vocab *vocab, tg_queue *queue, const uint8_t *piece,
                                uint32_t size) {
    uint64_t key = _bzhi_u64(tg_load8(piece), 8 * size) | (uint64_t)size << 56;
    uint64_t hash = tg_hash(key);
    queue->key[queue->n] = key;
    queue->hash[queue->n] = hash;
    __builtin_prefetch(&vocab->cache7[hash & ((1u << TG_CACHE7_BITS) - 1)]);
    queue->piece[queue->n_long] = piece;
    queue->size[queue->n_long] = size;
    queue->n += size <= 7;
    queue->n_long += size > 7;
}

TG_AVX2 TG_INLINE uint64_t tg_flush_short(tg_vocab *vocab, tg_queue *queue) {
    uint32_t missed[TG_QUEUE_ROOM], n_missed = 0;
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < queue->n; i++) {
        uint64_t slot = vocab->cache7[queue->hash[i] & ((1u << TG_CACHE7_BITS) - 1)];
        uint64_t known = (slot ^ queue->key[i]) << 5 == 0;
        tokens += slot >> TG_COUNT_SHIFT & -known;
        missed[n_missed] = i;
        n_missed += (uint32_t)!known;
    }
    for (uint32_t k = 0; k < n_missed; k++)
        __builtin_prefetch(&vocab->words7[queue->hash[missed[k]] & vocab->words7_mask]);
    for (uint32_t k = 0; k < n_missed; k++)
        tokens += tg_batch_ask7(vocab, &queue->batch, queue->key[missed[k]], queue->hash[missed[k]]);
    queue->n = 0;
    return tokens;
}

TG_AVX2 TG_INLINE uint64_t tg_flush_long(tg_vocab *vocab, tg_queue *queue) {
    uint64_t hash[TG_QUEUE_ROOM], tokens = 0;
    uint32_t missed[TG_QUEUE_ROOM], n_missed = 0;
    for (uint32_t i = 0; i < queue->n_long; i++) {
        const uint8_t *piece = queue->piece[i];
        uint32_t size = queue->size[i];
        hash[i] = 0;
        if (size > 15) {
            tg_key31 key;
            if (size <= 31) __builtin_prefetch(tg_slot31(vocab, piece, size, &key));
            continue;
        }
        hash[i] = tg_hash16(tg_load8(piece), _bzhi_u64(tg_load8(piece + 8), 8 * (size - 8)) | (uint64_t)(size - 8) << 56);
        __builtin_prefetch(&vocab->cache15[hash[i] & ((1u << TG_CACHE15_BITS) - 1)]);
    }
    for (uint32_t i = 0; i < queue->n_long; i++) {
        const uint8_t *piece = queue->piece[i];
        uint32_t size = queue->size[i];
        if (size > 15) {
            tokens += tg_count_padded(vocab, piece, size);
            continue;
        }
        tg_key16 slot = vocab->cache15[hash[i] & ((1u << TG_CACHE15_BITS) - 1)];
        uint64_t high = _bzhi_u64(tg_load8(piece + 8), 8 * (size - 8)) | (uint64_t)(size - 8) << 56;
        uint64_t known = slot.low == tg_load8(piece) && (slot.high ^ high) << 5 == 0;
        tokens += slot.high >> TG_COUNT_SHIFT & -known;
        missed[n_missed] = i;
        n_missed += (uint32_t)!known;
    }
    for (uint32_t k = 0; k < n_missed; k++)
        __builtin_prefetch(&vocab->words15[hash[missed[k]] & vocab->words15_mask]);
    for (uint32_t k = 0; k < n_missed; k++) {
        const uint8_t *piece = queue->piece[missed[k]];
        tokens += tg_batch_ask15(vocab, &queue->batch, tg_load8(piece),
                                 tg_key7(tg_load8(piece + 8), queue->size[missed[k]] - 8),
                                 hash[missed[k]]);
    }
    queue->n_long = 0;
    return tokens;
}

TG_AVX2 TG_INLINE uint64_t tg_queue_flush(tg_vocab *vocab, tg_queue *queue) {
    uint64_t tokens = queue->n ? tg_flush_short(vocab, queue) : 0;
    return queue->n_long ? tokens + tg_flush_long(vocab, queue) : tokens;
}

#endif
