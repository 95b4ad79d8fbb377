/* Byte-pair merging of short pieces as arrays: the textbook algorithm, made fast for words.
 *
 * One key per part: the token its pair would merge into (its rank, lower first) above the part's
 * place, so the smallest key is the leftmost pair of lowest rank. Dead parts keep the largest key,
 * and the living are a bit set, which gives the neighbours without links.
 */
#include "bpe_table.h"

static inline uint32_t key_of(const tg_vocab *vocab, uint32_t left, uint32_t right, uint32_t at) {
    uint32_t merged = tg_pair(vocab, left, right);
    return merged == TG_NONE ? TG_NONE : merged << 5 | at;
}

static inline __attribute__((always_inline)) uint32_t merge(const tg_vocab *vocab,
                                                            const uint8_t *piece, uint32_t size) {
    uint32_t token[TG_SHORT_MAX], key[TG_SHORT_MAX];
    uint32_t count = size, rows = (size + 7) / 8;
    uint64_t alive = ((uint64_t)1 << size) - 1;
    for (uint32_t i = 0; i < rows * 8; i++) key[i] = TG_NONE;
    for (uint32_t i = 0; i < size; i++) token[i] = vocab->byte_token[piece[i]];
    for (uint32_t i = 0; i + 1 < size; i++) {
        uint32_t merged = vocab->byte_pairs[piece[i] << 8 | piece[i + 1]];
        if (merged != TG_NONE) key[i] = merged << 5 | i;
    }
    for (;;) {
        uint32_t best[8], least = TG_NONE;
        for (int lane = 0; lane < 8; lane++) best[lane] = key[lane];
        for (uint32_t row = 1; row < rows; row++)
            for (int lane = 0; lane < 8; lane++) {
                uint32_t other = key[row * 8 + lane];
                best[lane] = other < best[lane] ? other : best[lane];
            }
        for (int lane = 0; lane < 8; lane++) least = best[lane] < least ? best[lane] : least;
        if (least == TG_NONE) return count;
        uint32_t at = least & 31, merged = least >> 5;
        uint64_t after = alive & ~(((uint64_t)2 << at) - 1);
        uint32_t gone = (uint32_t)__builtin_ctzll(after);
        alive &= ~((uint64_t)1 << gone);
        after &= after - 1;
        key[gone] = TG_NONE;
        token[at] = merged;
        if (--count == 1) return 1;
        key[at] = after ? key_of(vocab, merged, token[__builtin_ctzll(after)], at) : TG_NONE;
        uint64_t before = alive & (((uint64_t)1 << at) - 1);
        if (before) {
            uint32_t previous = 63 - (uint32_t)__builtin_clzll(before);
            key[previous] = key_of(vocab, token[previous], merged, previous);
        }
    }
}

/* The same for up to TG_PIECE_MAX bytes: keys in blocks of 32, and the least of each block. */
#define BLOCKS (TG_PIECE_MAX / 32)

static inline __attribute__((always_inline)) uint32_t least_of(const uint32_t *key) {
    uint32_t best[8], least = TG_NONE;
    for (int lane = 0; lane < 8; lane++) best[lane] = key[lane];
    for (int row = 1; row < 4; row++)
        for (int lane = 0; lane < 8; lane++) {
            uint32_t other = key[row * 8 + lane];
            best[lane] = other < best[lane] ? other : best[lane];
        }
    for (int lane = 0; lane < 8; lane++) least = best[lane] < least ? best[lane] : least;
    return least;
}

static inline uint32_t key_at(uint32_t key, uint32_t at) {
    return key == TG_NONE ? TG_NONE : key >> 5 << 8 | at;
}

static inline __attribute__((always_inline)) uint32_t merge_long(const tg_vocab *vocab,
                                                                 const uint8_t *piece,
                                                                 uint32_t size) {
    uint32_t token[TG_PIECE_MAX], key[TG_PIECE_MAX], least[8];
    uint16_t next[TG_PIECE_MAX + 1], previous[TG_PIECE_MAX + 1];
    uint32_t count = size, blocks = (size + 31) / 32;
    for (uint32_t i = 0; i < blocks * 32; i++) key[i] = TG_NONE;
    for (uint32_t i = 0; i < size; i++) {
        token[i] = vocab->byte_token[piece[i]];
        next[i] = (uint16_t)(i + 1);
        previous[i + 1] = (uint16_t)i;
    }
    for (uint32_t i = 0; i + 1 < size; i++) {
        uint32_t merged = vocab->byte_pairs[piece[i] << 8 | piece[i + 1]];
        if (merged != TG_NONE) key[i] = merged << 8 | i;
    }
    for (uint32_t block = 0; block < 8; block++)
        least[block] = block < blocks ? least_of(key + 32 * block) : TG_NONE;
    for (;;) {
        uint32_t found = TG_NONE;
        for (int block = 0; block < BLOCKS; block++)
            found = least[block] < found ? least[block] : found;
        if (found == TG_NONE) return count;
        uint32_t at = found & 255, merged = found >> 8, gone = next[at], after = next[gone];
        token[at] = merged;
        next[at] = (uint16_t)after;
        previous[after] = (uint16_t)at;
        key[gone] = TG_NONE;
        count--;
        key[at] = after < size ? key_at(key_of(vocab, merged, token[after], 0), at) : TG_NONE;
        least[gone / 32] = least_of(key + gone / 32 * 32);
        if (at) {
            uint32_t before = previous[at];
            key[before] = key_at(key_of(vocab, token[before], merged, 0), before);
            if (before / 32 != at / 32) least[before / 32] = least_of(key + before / 32 * 32);
        }
        least[at / 32] = least_of(key + at / 32 * 32);
    }
}

#if defined(__x86_64__)
#define TG_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))
TG_AVX2 static uint32_t merge_avx2(const tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    return size <= TG_SHORT_MAX ? merge(vocab, piece, size) : merge_long(vocab, piece, size);
}
#endif

uint32_t tg_merge(const tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
#if defined(__x86_64__)
    if (vocab->has_avx2) return merge_avx2(vocab, piece, size);
#endif
    return size <= TG_SHORT_MAX ? merge(vocab, piece, size) : merge_long(vocab, piece, size);
}
