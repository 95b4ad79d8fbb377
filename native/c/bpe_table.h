/* Hashes, keys and loads of the exact tables. Inline, branch-light, bounds by construction: every table
 * has an empty slot. */
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

/* Where the search for the token merged of two begins in `pairs`, which is sized to its load, not to a
 * power of two: a slot is a fraction of the size. */
static inline uint32_t tg_pair_slot(uint32_t left, uint32_t right, uint32_t size) {
    uint64_t key = (uint64_t)left << TG_TOKEN_BITS | right;
    return (uint32_t)(((key * 0x9E3779B97F4A7C15u) >> 32) * size >> 32);
}

#endif
