/* The streaming counter: feeds of any size, cut anywhere; exact totals. */
#ifndef TALLYGATE_TOKENS_H
#define TALLYGATE_TOKENS_H

#include "bpe.h"

#define TG_PIECE_MAX 256 /* an undecided piece that is longer is counted by its prefixes */
#define TG_TAIL 352 /* an undecided piece of up to TG_PIECE_MAX bytes, and room to append */

struct tg_giant;

typedef struct tg_counter {
    tg_vocab *vocab;
    uint64_t decided; /* tokens of the pieces whose end is known */
    uint32_t tail_size;
    uint32_t at, accept, state; /* the scan of the tail, see split.h */
    struct tg_giant *giant;     /* the undecided piece is longer than TG_PIECE_MAX */
    uint8_t tail[TG_TAIL + 2 * TG_PAD];
} tg_counter;

void tg_counter_start(tg_counter *counter, tg_vocab *vocab);

/* Text in UTF-8, cut anywhere; what is no UTF-8 counts as U+FFFD, one per maximal subpart. */
void tg_counter_feed(tg_counter *counter, const uint8_t *data, size_t size);

/* The text ends here: decide what is pending. The counter may be fed again: a new text begins. */
void tg_counter_boundary(tg_counter *counter);

/* Go on with another copy of the same vocabulary: what a counter knows of its text depends on none. */
void tg_counter_switch(tg_counter *counter, tg_vocab *vocab);

/* Release what the counter holds beyond itself. */
void tg_counter_clear(tg_counter *counter);

#endif
