/* A vocabulary in memory, and the counting of one piece with it.
 *
 * A piece is what a family's splitter cuts from the text; its token count depends on nothing
 * outside it. What is counted is remembered; what is not known is counted by bpe_prefix.h, which says
 * why that is exact.
 *
 * A vocabulary is read-only once loaded, except for the counts it remembers, which are overwritten
 * freely: one thread at a time may count with a vocabulary (under Python, the GIL). No Python here, no
 * I/O; malloc only while loading.
 */
#ifndef TALLYGATE_BPE_H
#define TALLYGATE_BPE_H

#include <stddef.h>
#include <stdint.h>

#define TG_NONE 0xFFFFFFFFu
#define TG_TOKEN_BITS 18
#define TG_TOKEN_MASK ((1u << TG_TOKEN_BITS) - 1)
#define TG_ROW 32 /* columns of a transition row */
#define TG_MAX_STATES 64
#define TG_TOKEN_MAX 512 /* bytes of the longest token there may be */
#define TG_PAD 16        /* bytes that must be readable after a piece given to tg_count_padded */

/* Flags of the bulk splitter; the same numbers stand in native/vocab/families.py. */
enum {
    TG_MASKS = 1,
    TG_CASE_SPLIT = 2,
    TG_ATTACHED = 4,
    TG_SEPARATE = 8,
    TG_SLASH_TAIL = 16,
    TG_ONE_DIGIT = 32
};

typedef struct {
    uint64_t low, high;
} tg_key16;

typedef struct {
    uint64_t word[4];
} tg_key31;

/* See bpe_automaton.h. */
typedef struct {
    uint64_t *nodes;
    uint64_t *endings; /* by token */
    uint32_t *second;  /* by two bytes: where the second leads from the node of the first */
    uint32_t n_words;  /* of the nodes */
    uint32_t ring; /* mask of the prefixes to be kept: no fewer than the longest token has bytes */
    size_t size;
} tg_automaton;

typedef struct tg_vocab {
    /* Splitter. */
    uint8_t rows[TG_MAX_STATES * TG_ROW];
    uint8_t ascii[128];
    uint16_t *first;
    uint8_t *blocks;
    uint32_t flags;
    uint32_t n_tokens;
    int has_avx2;
    /* Tables, exact; a slot of all ones is empty (of zero in words7 and cache7). */
    uint64_t *words7; /* bytes:56 length:3 count:5: pieces of up to 7 bytes that are tokens */
    uint32_t words7_mask;
    tg_key16 *words15; /* bytes:120 length-8:3 count:5 */
    uint32_t words15_mask;
    /* Both hold counted pieces besides, up to these many more; they have counts of 2 and up, and are
     * overwritten by others once there is no more room. */
    uint32_t room7, room15;
    /* Caches of counted pieces, direct-mapped, bounded, overwritten on conflict. */
    uint64_t *cache7;
    tg_key16 *cache15;
    tg_key31 *cache31; /* bytes:248 count:8, see tg_fits31 */
    /* Counting by prefixes. */
    tg_automaton automaton;
    uint32_t *pairs; /* by hash of a token's parts: the token */
    uint32_t pairs_size;
    uint64_t *guesses; /* longest:18 last:18 token:18 */
    /* Tokens over 15 bytes that merging never builds; they count as one only as whole pieces. */
    uint8_t *literals; /* length:2 bytes: few */
    uint32_t n_literals;
    uint64_t literal_bloom[64]; /* by the hash of the first eight bytes: no bit, no literal */
    size_t arena_size;
    void *arena;
    const struct tg_vocab *twin_of; /* whose read-only tables these are, or NULL */
} tg_vocab;

#define TG_CACHE7_BITS 15
#define TG_CACHE15_BITS 14
#define TG_CACHE31_BITS 12
#define TG_GUESS_BITS 11

/* Build a vocabulary from its uncompressed file (native/vocab/build.py) and the class table.
 * NULL when a file is malformed or memory is short; nothing is kept of the two buffers. */
tg_vocab *tg_vocab_load(const uint8_t *classes, size_t classes_size, const uint8_t *data,
                        size_t size);
void tg_vocab_free(tg_vocab *vocab);

/* The same vocabulary for another thread: what is written while counting is its own, the rest is
 * shared, so it is freed first. Made while nobody counts with the other. NULL: no memory. */
tg_vocab *tg_vocab_twin(const tg_vocab *vocab);

/* Zeroed memory from the system, and back to it. */
void *tg_map(size_t size);
void *tg_map_huge(size_t *size); /* read at random: in whole huge pages where there are any */
void tg_unmap(void *found, size_t size);

/* Tokens of one piece; `size` >= 1. */
uint64_t tg_count_piece(tg_vocab *vocab, const uint8_t *piece, size_t size);

/* The same when TG_PAD bytes after the piece are readable, whatever they are. */
uint64_t tg_count_padded(tg_vocab *vocab, const uint8_t *piece, size_t size);

/* Misses of the caches; for bpe_word.h. */
uint32_t tg_miss7(tg_vocab *vocab, uint64_t key);
uint32_t tg_miss15(tg_vocab *vocab, uint64_t low, uint64_t high);
uint64_t tg_count_over15(tg_vocab *vocab, const uint8_t *piece, size_t size);

#endif
