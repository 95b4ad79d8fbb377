/* Counting a piece of any length in constant memory, byte by byte. */
#ifndef TALLYGATE_BPE_LONG_H
#define TALLYGATE_BPE_LONG_H

#include "bpe.h"

#define TG_RING (TG_TOKEN_MAX + 1)

/* State of one piece. After each byte, `count[total & ring]` is the exact token count of the
 * bytes so far. */
typedef struct {
    uint32_t node, ring;
    uint8_t byte; /* the last one */
    uint64_t run; /* how many of that byte the text ends with */
    uint64_t total;
    uint32_t last[TG_RING];
    uint64_t count[TG_RING];
} tg_long_state;

/* Build the automaton of `vocab` if it is not built. 0 when memory is short. */
int tg_long_prepare(tg_vocab *vocab);
void tg_long_free(struct tg_long *tables);

void tg_long_start(const tg_vocab *vocab, tg_long_state *state);
void tg_long_feed(tg_vocab *vocab, tg_long_state *state, const uint8_t *bytes, size_t size);
uint64_t tg_long_tokens(const tg_long_state *state);

/* A whole piece at once. */
uint64_t tg_long_count(tg_vocab *vocab, const uint8_t *piece, size_t size);

#endif
