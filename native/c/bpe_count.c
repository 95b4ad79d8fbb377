/* Counting one piece: caches, exact tables, then by prefixes. */
#include "bpe_prefix.h"
#include "bpe_word.h"

uint32_t tg_miss7(tg_vocab *vocab, uint64_t key) {
    uint64_t hash = tg_hash(key);
    uint32_t found = tg_find7(vocab, key, hash);
    if (found) return found;
    uint8_t text[8];
    for (int i = 0; i < 7; i++) text[i] = (uint8_t)(key >> (8 * i));
    found = (uint32_t)tg_prefix_count(vocab, text, (uint32_t)(key >> 56));
    tg_store7(vocab, key, hash, found);
    return found;
}

uint32_t tg_miss15(tg_vocab *vocab, uint64_t low, uint64_t high) {
    uint64_t hash = tg_hash16(low, high);
    uint32_t found = tg_find15(vocab, low, high, hash);
    if (found) return found;
    uint8_t text[16];
    for (int i = 0; i < 8; i++) {
        text[i] = (uint8_t)(low >> (8 * i));
        text[8 + i] = (uint8_t)(high >> (8 * i));
    }
    found = (uint32_t)tg_prefix_count(vocab, text, 8 + (uint32_t)(high >> 56));
    tg_store15(vocab, low, high, hash, found);
    return found;
}

uint64_t tg_count_over15(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    if (vocab->n_literals && tg_is_literal(vocab, piece, size)) return 1;
    return tg_prefix_count(vocab, piece, size);
}

uint64_t tg_count_padded(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    if (size <= 7) {
        uint64_t key = tg_key7(tg_load8(piece), (uint32_t)size);
        return tg_count7(vocab, key, tg_hash(key));
    }
    if (size <= 15) {
        uint64_t low = tg_load8(piece), high = tg_key7(tg_load8(piece + 8), (uint32_t)size - 8);
        return tg_count15(vocab, low, high, tg_hash16(low, high));
    }
    if (tg_fits31(piece, size)) return tg_count31(vocab, piece, (uint32_t)size);
    return tg_count_over15(vocab, piece, size);
}

uint64_t tg_count_piece(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    uint8_t padded[TG_PAD * 2] = {0};
    if (size > 15) return tg_count_over15(vocab, piece, size);
    memcpy(padded, piece, size);
    return tg_count_padded(vocab, padded, size);
}
