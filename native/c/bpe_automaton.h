/* The Aho-Corasick automaton of a vocabulary: after each byte, the longest token that ends there.
 *
 * A node is children:20 fail:20 longest:18 size:6 bits. `size` is how many children it has; where
 * they are too many for it, the word before them says it. At the children's place are first the bytes
 * that lead to them, packed in whole words, then the nodes: both are one access to memory, mostly. Fail
 * is the longest proper suffix that is in the trie; longest is the longest token that ends the node's
 * text. A node without children is never stepped from: but for `longest` it is a copy of its fail.
 *
 * Every byte is a token. The root's children are the nodes 1 to 256, in the bytes' order; for the root
 * and for these, `children` is a row of the table `second`, which says where each byte leads.
 */
#ifndef TALLYGATE_BPE_AUTOMATON_H
#define TALLYGATE_BPE_AUTOMATON_H

#include "bpe_table.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define TG_LINK_BITS 20
#define TG_LINK_MASK ((1u << TG_LINK_BITS) - 1)
#define TG_SIZE_SHIFT 58
#define TG_SIZE_MOST 62u /* so many or more */
#define TG_SIZE_ROW 63u
#define TG_ROOT_ROW (256u << 8)
#define TG_NO_TOKEN TG_TOKEN_MASK

/* Of a token: its parts, the next shorter token that ends it, the bytes of its right part, and whether
 * it is long. */
#define TG_LONG_TOKEN 16 /* bytes of a token from which on it is */

static inline uint64_t tg_ending(uint32_t left, uint32_t right, uint32_t shorter, uint32_t right_size,
                                 int is_long) {
    return left | (uint64_t)right << 18 | (uint64_t)shorter << 36 | (uint64_t)right_size << 54 |
           (uint64_t)is_long << 63;
}

static inline uint32_t tg_left(uint64_t ending) {
    return (uint32_t)ending & TG_TOKEN_MASK;
}

static inline uint32_t tg_right(uint64_t ending) {
    return (uint32_t)(ending >> 18) & TG_TOKEN_MASK;
}

static inline uint32_t tg_shorter(uint64_t ending) {
    return (uint32_t)(ending >> 36) & TG_TOKEN_MASK;
}

static inline uint32_t tg_right_size(uint64_t ending) {
    return (uint32_t)(ending >> 54) & (TG_TOKEN_MAX - 1);
}

static inline int tg_is_long(uint64_t ending) {
    return (int)(ending >> 63);
}

static inline uint32_t tg_children(uint64_t node) {
    return (uint32_t)node & TG_LINK_MASK;
}

static inline uint32_t tg_fail(uint64_t node) {
    return (uint32_t)(node >> TG_LINK_BITS) & TG_LINK_MASK;
}

static inline uint32_t tg_longest(uint64_t node) {
    return (uint32_t)(node >> (2 * TG_LINK_BITS)) & TG_TOKEN_MASK;
}

static inline uint32_t tg_size(uint64_t node) {
    return (uint32_t)(node >> TG_SIZE_SHIFT);
}

/* Words of the bytes that lead to so many children. */
static inline uint32_t tg_label_words(uint32_t size) {
    return (size + 7) / 8;
}

static inline uint32_t tg_true_size(const tg_automaton *a, uint64_t node) {
    uint32_t size = tg_size(node);
    return size < TG_SIZE_MOST ? size : (uint32_t)a->nodes[tg_children(node) - 1];
}

/* The child of `node` by that byte, or TG_NONE. */
static inline uint32_t tg_child(const tg_automaton *a, uint64_t node, uint8_t byte) {
    uint32_t size = tg_size(node), from = tg_children(node);
    const uint8_t *labels = (const uint8_t *)(a->nodes + from);
#if defined(__SSE2__)
    __m128i wanted = _mm_set1_epi8((char)byte);
    if (__builtin_expect(size > 16, 0)) {
        size = tg_true_size(a, node);
        from += tg_label_words(size);
        for (; size > 16; size -= 16, from += 16, labels += 16) {
            __m128i some = _mm_loadu_si128((const __m128i *)labels);
            uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some, wanted));
            if (found) return from + (uint32_t)__builtin_ctz(found);
        }
    } else {
        from += tg_label_words(size);
    }
    __m128i some = _mm_loadu_si128((const __m128i *)labels);
    uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some, wanted)) & ((1u << size) - 1);
    return found ? from + (uint32_t)__builtin_ctz(found) : TG_NONE;
#else
    size = tg_true_size(a, node);
    const uint8_t *found = memchr(labels, byte, size);
    return found ? from + tg_label_words(size) + (uint32_t)(found - labels) : TG_NONE;
#endif
}

/* The number of the node to which `byte` leads. */
static inline uint32_t tg_step(const tg_automaton *a, uint64_t node, uint8_t byte) {
    while (tg_size(node) != TG_SIZE_ROW) {
        uint32_t child = tg_child(a, node, byte);
        if (child != TG_NONE) return child;
        node = a->nodes[tg_fail(node)];
    }
    return a->second[tg_children(node) + byte];
}

/* The token the two merge into, or TG_NONE. */
static inline uint32_t tg_pair(const tg_vocab *vocab, uint32_t left, uint32_t right) {
    uint32_t slot = tg_pair_slot(left, right, vocab->pairs_size);
    for (;;) {
        uint32_t token = vocab->pairs[slot];
        if (token == TG_NONE) return TG_NONE;
        uint64_t parts = vocab->automaton.endings[token];
        if (tg_left(parts) == left && tg_right(parts) == right) return token;
        slot = slot + 1 == vocab->pairs_size ? 0 : slot + 1;
    }
}

/* Of the tokens while loading: their parts (twice itself for what merging never builds, and for
 * bytes) and their text. */
typedef struct {
    uint32_t *left, *right, *offset;
    uint16_t *length;
    uint8_t *bytes;
    size_t bytes_size;
    uint32_t longest;
} tg_texts;

/* 0 when memory is short. */
int tg_automaton_build(tg_vocab *vocab, const tg_texts *texts);
void tg_automaton_free(tg_automaton *a);

#endif
