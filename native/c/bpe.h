/* A vocabulary in memory, and the counting of one piece with it.
 *
 * A piece is what a family's splitter cuts from the text; its token count depends on nothing
 * outside it. Counting rests on one theorem (github.com/github/rust-gems, crate bpe): a sequence of
 * tokens is the byte-pair encoding of its text if and only if each adjacent pair is, by itself,
 * the encoding of its own text. So any way of finding such a sequence is exact.
 *
 * A vocabulary is read-only once loaded, except for the caches of counted pieces, which are
 * overwritten freely: one thread at a time may count with a vocabulary (under Python, the GIL).
 * No Python here, no I/O; malloc only while loading and for pieces over 256 bytes.
 */
#ifndef TALLYGATE_BPE_H
#define TALLYGATE_BPE_H

#include <stddef.h>
#include <stdint.h>

#define TG_NONE 0xFFFFFFFFu
#define TG_TOKEN_BITS 18
#define TG_TOKEN_MASK ((1u << TG_TOKEN_BITS) - 1)
#define TG_ROOT (1u << TG_TOKEN_BITS) /* trie nodes from here on are no tokens */
#define TG_ROW 32                     /* columns of a transition row */
#define TG_MAX_STATES 64
#define TG_PIECE_MAX 256  /* longer pieces are counted by the automaton of bpe_long.c */
#define TG_SHORT_MAX 32   /* pieces up to here are merged in one block */
#define TG_TOKEN_MAX 512 /* bytes of the longest token there may be */
#define TG_PAD 16         /* bytes that must be readable after a piece given to tg_count_padded */

/* Flags of the bulk splitter; the same numbers stand in native/vocab/families.py. */
enum {
    TG_MASKS = 1,
    TG_CASE_SPLIT = 2,
    TG_ATTACHED = 4,
    TG_SEPARATE = 8,
    TG_SLASH_TAIL = 16,
    TG_ONE_DIGIT = 32
};

/* The two tokens a token is merged from (itself, twice, for a byte). The upper 14 bits hold the
 * least rank, in sixteens, of the tokens that have it as their left or their right part: most
 * questions about a pair are answered there, without looking the pair up. */
typedef struct {
    uint32_t left, right;
} tg_split;
#define TG_NEVER ((1u << TG_TOKEN_BITS) - 16) /* no rank is as high: "part of nothing" */

static inline uint32_t tg_part(uint32_t field) {
    return field & TG_TOKEN_MASK;
}

static inline uint32_t tg_least_merge(uint32_t field) {
    return field >> TG_TOKEN_BITS << 4;
}

typedef struct {
    uint64_t low, high;
} tg_key16;

typedef struct {
    uint64_t word[4];
} tg_key31;

struct tg_long; /* bpe_long.c */

typedef struct tg_vocab {
    /* Splitter. */
    uint8_t rows[TG_MAX_STATES * TG_ROW];
    uint8_t ascii[128];
    uint16_t *first;
    uint8_t *blocks;
    uint32_t flags;
    /* Tables, exact; a slot of all ones is empty (of zero in words7 and cache7). */
    uint32_t n_tokens;
    tg_split *split;
    uint16_t *length;
    uint64_t *pairs; /* left:18 right:18 merged:18 */
    uint32_t pairs_size;
    uint64_t *pair_bits; /* a set bit: some pair of that hash merges */
    uint64_t *edges; /* see bpe_table.h */
    uint32_t edges_size;
    uint64_t *words7; /* bytes:56 length:3 count:5: pieces of up to 7 bytes that are tokens */
    uint32_t words7_mask;
    tg_key16 *words15; /* bytes:120 length-8:3 count:5 */
    uint32_t words15_mask;
    /* Both hold counted pieces besides, up to these many more; they have counts of 2 and up, and are
     * overwritten by others once there is no more room. */
    uint32_t room7, room15;
    uint32_t *byte_pairs; /* token merged from two bytes, or TG_NONE */
    uint32_t byte_token[256];
    uint32_t n_nodes, n_edges;
    int has_avx2;
    /* Caches of counted pieces, direct-mapped, bounded, overwritten on conflict. */
    uint64_t *cache7;
    tg_key16 *cache15;
    tg_key31 *cache31; /* bytes:248 count:8, see tg_fits31 */
    uint32_t *valid_pairs;
    uint64_t *guesses; /* bpe_long.c: longest:18 last:18 token:18 */
    /* Tokens over 15 bytes that merging never builds; they count as one only as whole pieces. */
    uint8_t *literals; /* length:2 bytes: few */
    uint32_t n_literals;
    uint64_t literal_bloom[64]; /* by the hash of the first eight bytes: no bit, no literal */
    struct tg_long *long_tables; /* built at the first piece over 256 bytes */
    size_t arena_size;
    void *arena;
} tg_vocab;

#define TG_CACHE7_BITS 15
#define TG_CACHE15_BITS 14
#define TG_CACHE31_BITS 12
#define TG_VALID_BITS 16
#define TG_GUESS_BITS 11
#define TG_PAIR_BITS 21

/* Build a vocabulary from its uncompressed file (native/vocab/build.py) and the class table.
 * NULL when a file is malformed or memory is short; nothing is kept of the two buffers. */
tg_vocab *tg_vocab_load(const uint8_t *classes, size_t classes_size, const uint8_t *data,
                        size_t size);
void tg_vocab_free(tg_vocab *vocab);

/* Zeroed memory from the system, and back to it. */
void *tg_map(size_t size);
void *tg_map_huge(size_t size); /* read at random: in huge pages where the system has them */
void tg_unmap(void *found, size_t size);

/* Tokens of one piece; `size` >= 1. */
uint64_t tg_count_piece(tg_vocab *vocab, const uint8_t *piece, size_t size);

/* The same when TG_PAD bytes after the piece are readable, whatever they are. */
uint64_t tg_count_padded(tg_vocab *vocab, const uint8_t *piece, size_t size);

/* Misses of the caches; for bpe_word.h. */
uint32_t tg_miss7(tg_vocab *vocab, uint64_t key);
uint32_t tg_miss15(tg_vocab *vocab, uint64_t low, uint64_t high);
uint64_t tg_count_hard(tg_vocab *vocab, const uint8_t *piece, uint32_t size);
uint64_t tg_count_over15(tg_vocab *vocab, const uint8_t *piece, size_t size);

/* bpe_merge.c: merge arrays of up to TG_PIECE_MAX bytes. */
uint32_t tg_merge(const tg_vocab *vocab, const uint8_t *piece, uint32_t size);

/* bpe_greedy.c, all for up to TG_PIECE_MAX bytes. A walk is the longest matches in a row; it is the
 * encoding if all its pairs are valid, which tg_greedy_hope checks (0: they are not). tg_greedy
 * back-tracks; TG_NONE when that took more steps than its bound (an adversarial piece). */
uint32_t tg_greedy_walk(tg_vocab *vocab, const uint8_t *piece, uint32_t size, uint32_t *tokens);
uint32_t tg_greedy_hope(tg_vocab *vocab, const uint8_t *piece, uint32_t size);
uint32_t tg_greedy(tg_vocab *vocab, const uint8_t *piece, uint32_t size);
void tg_greedy_prefetch(const tg_vocab *vocab, const uint8_t *piece, uint32_t size);
int tg_valid_short(const tg_vocab *vocab, uint32_t left, uint32_t right); /* without the memo */
int tg_valid_pair(tg_vocab *vocab, uint32_t left, uint32_t right);

#endif
