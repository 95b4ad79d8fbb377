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

static inline uint32_t tg_count7_padded(tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    uint64_t key = tg_key7(tg_load8(piece), size);
    return tg_count7(vocab, key, tg_hash(key));
}

/* A piece of over 15 bytes is kept zero-padded and without its length, so none may end in zero. */
static inline int tg_fits31(const uint8_t *piece, size_t size) {
    return size <= 31 && piece[size - 1];
}

/* A piece of 16 to 31 bytes as a key, and its slot. */
static inline tg_key31 *tg_slot31(const tg_vocab *vocab, const uint8_t *piece, uint32_t size,
                                  tg_key31 *key) {
    uint32_t third = size < 24 ? size - 16 : 8;
    key->word[0] = tg_load8(piece);
    key->word[1] = tg_load8(piece + 8);
    key->word[2] = tg_low_bytes(tg_load8(piece + 16), third);
    key->word[3] = tg_low_bytes(tg_load8(piece + 24), size - 16 - third);
    uint64_t hash = tg_hash16(key->word[0] ^ (key->word[2] * 0xA0761D6478BD642Fu),
                              key->word[1] ^ (key->word[3] * 0xE7037ED1A0B428DBu));
    return &vocab->cache31[hash & ((1u << TG_CACHE31_BITS) - 1)];
}

/* The cached count of a key, or 0. */
static inline uint32_t tg_match31(const tg_key31 *slot, const tg_key31 *key) {
    uint64_t differ = (slot->word[0] ^ key->word[0]) | (slot->word[1] ^ key->word[1]) |
                      (slot->word[2] ^ key->word[2]) | (slot->word[3] ^ key->word[3]) << 8;
    return differ ? 0 : (uint32_t)(slot->word[3] >> 56);
}

static inline void tg_store31(tg_key31 *slot, tg_key31 key, uint32_t count) {
    key.word[3] |= (uint64_t)count << 56;
    *slot = key;
}

static inline uint32_t tg_count31(tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    tg_key31 key, *slot = tg_slot31(vocab, piece, size, &key);
    uint32_t found = tg_match31(slot, &key);
    if (found) return found;
    found = (uint32_t)tg_count_over15(vocab, piece, size);
    tg_store31(slot, key, found);
    return found;
}

/* The count the table knows of a piece of up to 7 bytes, which the cache then knows too; 0: none. */
static inline uint32_t tg_find7(tg_vocab *vocab, uint64_t key, uint64_t hash) {
    for (uint32_t slot = (uint32_t)hash;; slot++) {
        uint64_t entry = vocab->words7[slot & vocab->words7_mask];
        if (!entry) return 0;
        if ((entry ^ key) << 5 == 0) {
            vocab->cache7[hash & ((1u << TG_CACHE7_BITS) - 1)] = entry;
            return (uint32_t)(entry >> TG_COUNT_SHIFT);
        }
    }
}

/* Keep a computed count, in the cache, and in the table behind it: in a free slot while there is room,
 * then in that of another computed one. */
static inline void tg_store7(tg_vocab *vocab, uint64_t key, uint64_t hash, uint32_t count) {
    uint64_t kept = key | (uint64_t)count << TG_COUNT_SHIFT;
    vocab->cache7[hash & ((1u << TG_CACHE7_BITS) - 1)] = kept;
    uint32_t slot = (uint32_t)hash & vocab->words7_mask, victim = TG_NONE;
    for (; vocab->words7[slot]; slot = (slot + 1) & vocab->words7_mask) {
        if (vocab->words7[slot] == kept) return;
        if (vocab->words7[slot] >> TG_COUNT_SHIFT > 1) victim = slot;
    }
    if (vocab->room7) {
        vocab->room7--;
        victim = slot;
    }
    if (victim != TG_NONE) vocab->words7[victim] = kept;
}

/* The same of a piece of 8 to 15 bytes. */
static inline uint32_t tg_find15(tg_vocab *vocab, uint64_t low, uint64_t high, uint64_t hash) {
    for (uint32_t slot = (uint32_t)hash;; slot++) {
        tg_key16 entry = vocab->words15[slot & vocab->words15_mask];
        if (entry.high == TG_EMPTY) return 0;
        if (entry.low == low && (entry.high ^ high) << 5 == 0) {
            vocab->cache15[hash & ((1u << TG_CACHE15_BITS) - 1)] = entry;
            return (uint32_t)(entry.high >> TG_COUNT_SHIFT);
        }
    }
}

static inline void tg_store15(tg_vocab *vocab, uint64_t low, uint64_t high, uint64_t hash,
                              uint32_t count) {
    tg_key16 kept = {low, high | (uint64_t)count << TG_COUNT_SHIFT};
    vocab->cache15[hash & ((1u << TG_CACHE15_BITS) - 1)] = kept;
    uint32_t slot = (uint32_t)hash & vocab->words15_mask, victim = TG_NONE;
    for (; vocab->words15[slot].high != TG_EMPTY; slot = (slot + 1) & vocab->words15_mask) {
        tg_key16 entry = vocab->words15[slot];
        if (entry.low == low && entry.high == kept.high) return;
        if (entry.high >> TG_COUNT_SHIFT > 1) victim = slot;
    }
    if (vocab->room15) {
        vocab->room15--;
        victim = slot;
    }
    if (victim != TG_NONE) vocab->words15[victim] = kept;
}

/* Tokens over 15 bytes that merging never builds; most vocabularies have none. */
static inline int tg_is_literal(const tg_vocab *vocab, const uint8_t *piece, size_t size) {
    const uint8_t *literal = vocab->literals;
    uint64_t hash = tg_hash(tg_load8(piece));
    if (!(vocab->literal_bloom[hash & 63] >> (hash >> 6 & 63) & 1)) return 0;
    for (uint32_t i = 0; i < vocab->n_literals; i++) {
        size_t length = (size_t)literal[0] | (size_t)literal[1] << 8;
        if (length == size && !memcmp(literal + 2, piece, size)) return 1;
        literal += length + 2;
    }
    return 0;
}

#endif
