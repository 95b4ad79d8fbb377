/* Counting a piece of any length in constant memory, byte by byte. */
#ifndef TALLYGATE_BPE_LONG_H
#define TALLYGATE_BPE_LONG_H

#include "bpe.h"

#define TG_RING (2 * TG_TOKEN_MAX)

/* A prefix of the piece: its tokens, and the last of them with its length. */
typedef struct {
    uint64_t count;
    uint32_t last, size;
} tg_place;

/* State of one piece: the last prefixes of it. */
typedef struct {
    uint32_t node;
    uint8_t byte; /* the last one */
    uint64_t run; /* how many of that byte the piece ends with so far */
    uint64_t total;
    tg_place places[TG_RING];
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
