/* The fast way in: a piece of up to 15 bytes is one masked load, one hash, one compare. */
#ifndef TALLYGATE_BPE_WORD_H
#define TALLYGATE_BPE_WORD_H

#include "bpe_table.h"

#define TG_COUNT_SHIFT 59 /* the count sits in the top five bits of a slot */

static inline uint32_t tg_count7(tg_vocab *vocab, uint64_t key, uint64_t hash) {
    uint64_t slot = vocab->cache7[hash & ((1u << TG_CACHE7_BITS) - 1)];
    if (__builtin_expect((slot ^ key) << 5 == 0, 1)) return (uint32_t)(slot >> TG_COUNT_SHIFT);
    return tg_miss7(vocab, key);
}

static inline uint32_t tg_count15(tg_vocab *vocab, uint64_t low, uint64_t high, uint64_t hash) {
    tg_key16 slot = vocab->cache15[hash & ((1u << TG_CACHE15_BITS) - 1)];
    if (__builtin_expect(slot.low == low && (slot.high ^ high) << 5 == 0, 1))
        return (uint32_t)(slot.high >> TG_COUNT_SHIFT);
    return tg_miss15(vocab, low, high);
}

#endif
