#include "bpe_batch.h"

#include "bpe_word.h"

static uint64_t add(tg_vocab *vocab, tg_batch *batch, uint64_t low, uint64_t high, uint64_t hash,
                    uint32_t size) {
    batch->key[batch->n][0] = low;
    batch->key[batch->n][1] = high;
    batch->hash[batch->n] = hash;
    batch->size[batch->n++] = size;
    __builtin_prefetch(&vocab->automaton.second[(low & 255) << 8 | (low >> 8 & 255)]);
    return batch->n < TG_MANY ? 0 : tg_batch_flush(vocab, batch);
}

uint64_t tg_batch_ask7(tg_vocab *vocab, tg_batch *batch, uint64_t key, uint64_t hash) {
    uint32_t found = tg_find7(vocab, key, hash);
    return found ? found : add(vocab, batch, key, 0, hash, (uint32_t)(key >> 56));
}

uint64_t tg_batch_ask15(tg_vocab *vocab, tg_batch *batch, uint64_t low, uint64_t high,
                        uint64_t hash) {
    uint32_t found = tg_find15(vocab, low, high, hash);
    return found ? found : add(vocab, batch, low, high, hash, 8 + (uint32_t)(high >> 56));
}

uint64_t tg_batch_flush(tg_vocab *vocab, tg_batch *batch) {
    uint32_t counts[TG_MANY];
    uint64_t tokens = 0;
    tg_prefix_many(vocab, (const uint8_t(*)[16])batch->key, batch->size, batch->n, counts);
    for (uint32_t i = 0; i < batch->n; i++) {
        uint64_t low = batch->key[i][0], high = batch->key[i][1];
        tokens += counts[i];
        if (batch->size[i] <= 7) tg_store7(vocab, low, batch->hash[i], counts[i]);
        else tg_store15(vocab, low, high, batch->hash[i], counts[i]);
    }
    batch->n = 0;
    return tokens;
}
