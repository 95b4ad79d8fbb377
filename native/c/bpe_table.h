/* Probes of the exact tables: pairs, trie edges, whole words. Inline, branch-light, bounds by
 * construction: every table has an empty slot. */
#ifndef TALLYGATE_BPE_TABLE_H
#define TALLYGATE_BPE_TABLE_H

#include "bpe.h"

#include <string.h>

#define TG_EMPTY UINT64_MAX

/* Folded 64x64 multiplication: every input bit reaches the low bits that index a table. */
static inline uint64_t tg_hash(uint64_t key) {
    unsigned __int128 product = (unsigned __int128)key * 0x9E3779B97F4A7C15u;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t tg_hash16(uint64_t low, uint64_t high) {
    return tg_hash(low ^ (high * 0xD6E8FEB86659FD93u));
}

static inline uint64_t tg_load8(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The low `size` bytes, size 0 to 8. */
static inline uint64_t tg_low_bytes(uint64_t word, uint32_t size) {
    return size >= 8 ? word : word & (((uint64_t)1 << (8 * size)) - 1);
}

static inline uint64_t tg_key7(uint64_t word, uint32_t size) {
    return tg_low_bytes(word, size) | (uint64_t)size << 56;
}

static inline uint64_t tg_pair_key(uint32_t left, uint32_t right) {
    return (uint64_t)left << TG_TOKEN_BITS | right;
}

/* Tables are sized to their load, not to a power of two: a slot is a fraction of the size. */
static inline uint32_t tg_slot(uint64_t key, uint32_t size) {
    return (uint32_t)(((key * 0x9E3779B97F4A7C15u) >> 32) * size >> 32);
}

static inline uint32_t tg_next_slot(uint32_t slot, uint32_t size) {
    return slot + 1 == size ? 0 : slot + 1;
}

/* Most pairs asked about do not merge: a bit set, small enough for the second-level cache, answers
 * nine in ten of those. */
static inline uint32_t tg_pair_bit(uint64_t key) {
    return (uint32_t)((key * 0xD6E8FEB86659FD93u) >> (64 - TG_PAIR_BITS));
}

static inline uint32_t tg_pair_hint(const tg_vocab *vocab, uint64_t key) {
    uint32_t bit = tg_pair_bit(key);
    return vocab->pair_bits[bit / 64] >> (bit % 64) & 1;
}

static inline uint32_t tg_find_pair(const tg_vocab *vocab, uint64_t key) {
    uint32_t slot = tg_slot(key, vocab->pairs_size);
    for (;;) {
        uint64_t entry = vocab->pairs[slot];
        if (entry >> TG_TOKEN_BITS == key) return (uint32_t)entry & TG_TOKEN_MASK;
        if (entry == TG_EMPTY) return TG_NONE;
        slot = tg_next_slot(slot, vocab->pairs_size);
    }
}

/* The token the two merge into, or TG_NONE. */
static inline uint32_t tg_pair(const tg_vocab *vocab, uint32_t left, uint32_t right) {
    uint64_t key = tg_pair_key(left, right);
    return tg_pair_hint(vocab, key) ? tg_find_pair(vocab, key) : TG_NONE;
}

/* The trie. An edge's slot depends on the text from the root, not on its parent's number, so the
 * slots of a whole piece are known, and fetched, before the first is read; the parent's number in
 * the entry keeps the match exact. Entry: parent:19 unit:24 child:19 flags:2. */
#define TG_NODE_MASK 0x7FFFFu
#define TG_HAS_CHILDREN 1u /* the child has edges over whole units */
#define TG_HAS_PARTS 2u    /* the child has edges over cut units */

static inline uint64_t tg_path(uint64_t path, uint32_t unit) {
    return (path ^ unit) * 0x9E3779B97F4A7C15u + (path >> 32);
}

static inline uint32_t tg_path_slot(uint64_t path, uint32_t size) {
    return (uint32_t)((path >> 32) * size >> 32);
}

/* The entry's low 21 bits, child and flags, or TG_NONE. */
static inline uint32_t tg_edge(const tg_vocab *vocab, uint64_t path, uint32_t node,
                               uint32_t unit) {
    uint64_t key = (uint64_t)node << 24 | unit;
    uint32_t slot = tg_path_slot(path, vocab->edges_size);
    for (;;) {
        uint64_t entry = vocab->edges[slot];
        if (entry >> 21 == key) return (uint32_t)entry & 0x1FFFFF;
        if (entry == TG_EMPTY) return TG_NONE;
        slot = tg_next_slot(slot, vocab->edges_size);
    }
}

/* Length of the unit that begins with `lead`: four-byte characters are cut 3 + 1, and a stray
 * continuation byte stands alone. */
static inline uint32_t tg_unit_size(uint8_t lead) {
    return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : 3;
}

static inline uint32_t tg_unit(const uint8_t *at, uint32_t size) {
    uint32_t unit = at[0];
    if (size > 1) unit = unit << 8 | at[1];
    if (size > 2) unit = unit << 8 | at[2];
    return unit;
}

#endif
