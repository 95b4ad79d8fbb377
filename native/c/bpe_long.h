/* Counting a piece of any length in constant memory, byte by byte. */
#ifndef TALLYGATE_BPE_LONG_H
#define TALLYGATE_BPE_LONG_H

#include "bpe.h"

#define TG_RING (4 * TG_TOKEN_MAX)
#define TG_PENDING 0x80000000u /* not decided yet */

/* State of one piece: for the last places in it, the last token of the prefix that ends there, and
 * that prefix's count; while not decided, a candidate and the longest one. */
typedef struct {
    uint32_t node;
    uint8_t byte; /* the last one */
    uint64_t run; /* how many of that byte the piece ends with so far */
    uint64_t total, settled;
    uint32_t last[TG_RING];
    uint64_t count[TG_RING];
} tg_long_state;

/* Build the automaton of `vocab` if it is not built. 0 when memory is short. */
int tg_long_prepare(tg_vocab *vocab);
void tg_long_free(struct tg_long *tables);

void tg_long_start(tg_long_state *state);
void tg_long_feed(tg_vocab *vocab, tg_long_state *state, const uint8_t *bytes, size_t size);

/* The exact count of the bytes so far. */
uint64_t tg_long_tokens(tg_vocab *vocab, tg_long_state *state);

/* A whole piece at once. */
uint64_t tg_long_count(tg_vocab *vocab, const uint8_t *piece, size_t size);

#endif
