/* Counting a piece of any length by its prefixes, byte by byte, in constant memory. */
#ifndef TALLYGATE_BPE_PREFIX_H
#define TALLYGATE_BPE_PREFIX_H

#include "bpe.h"

#define TG_RING (2 * TG_TOKEN_MAX)

/* A prefix of the piece: its tokens, and the last of them with its length. */
typedef struct {
    uint64_t count;
    uint32_t last, size;
} tg_place;

/* State of one piece: the last prefixes of it. */
typedef struct {
    uint64_t node;
    uint64_t total;
    uint64_t run;  /* where the run of one byte that the piece ends with so far begins */
    uint64_t same; /* the last place that is not as the one a period before; see bpe_prefix.c */
    uint32_t byte; /* that of the run */
    tg_place places[TG_RING];
} tg_prefix;

void tg_prefix_start(const tg_vocab *vocab, tg_prefix *prefix);
void tg_prefix_feed(tg_vocab *vocab, tg_prefix *prefix, const uint8_t *bytes, size_t size);

/* The exact count of the bytes so far. */
uint64_t tg_prefix_tokens(const tg_vocab *vocab, const tg_prefix *prefix);

/* Several whole pieces of at most 15 bytes at once: their accesses to memory overlap. */
#define TG_MANY 16
void tg_prefix_many(const tg_vocab *vocab, const uint8_t (*pieces)[16], const uint32_t *sizes,
                    uint32_t n, uint32_t *counts);

/* A whole piece at once. */
uint64_t tg_prefix_count(tg_vocab *vocab, const uint8_t *piece, size_t size);

#endif
