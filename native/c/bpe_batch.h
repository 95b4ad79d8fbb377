/* Unknown pieces of up to 15 bytes, collected to be counted together.
 *
 * In ordinary text one word in fifty is unknown, and what counting it reads of the automaton is not at
 * hand in the processor's caches. Counts add up in any order, so such words wait for one another, and
 * their accesses to memory overlap. For processors whose least byte comes first.
 */
#ifndef TALLYGATE_BPE_BATCH_H
#define TALLYGATE_BPE_BATCH_H

#include "bpe_prefix.h"

typedef struct {
    uint64_t key[TG_MANY][2]; /* as the tables have them: the low bytes are the piece */
    uint64_t hash[TG_MANY];
    uint32_t size[TG_MANY];
    uint32_t n;
} tg_batch;

/* The count of a piece if a table knows it. Else it joins the batch, and the answer is 0, or all counts
 * of the batch if it was full. */
uint64_t tg_batch_ask7(tg_vocab *vocab, tg_batch *batch, uint64_t key, uint64_t hash);
uint64_t tg_batch_ask15(tg_vocab *vocab, tg_batch *batch, uint64_t low, uint64_t high,
                        uint64_t hash);

/* Count and keep what is in the batch. */
uint64_t tg_batch_flush(tg_vocab *vocab, tg_batch *batch);

#endif
