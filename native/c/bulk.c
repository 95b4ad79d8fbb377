/* Splitting and counting in place, piece by piece; the portable form of bulk_avx2.c. */
#include "bpe_word.h"
#include "split.h"

size_t tg_bulk(tg_vocab *vocab, const uint8_t *text, size_t size, uint64_t *tokens) {
#if defined(__x86_64__) && !defined(TG_NO_AVX2)
    if (vocab->has_avx2 && (vocab->flags & TG_MASKS))
        return tg_bulk_avx2(vocab, text, size, tokens);
#endif
    size_t start = 0;
    for (;;) {
        tg_scan scan = {0, 0, 0, 0};
        if (tg_scan_piece(vocab, text + start, size - start, &scan) != TG_PIECE) break;
        size_t length = tg_piece_size(&scan);
        *tokens += size - start < length + TG_PAD ? tg_count_piece(vocab, text + start, length)
                                                  : tg_count_padded(vocab, text + start, length);
        start += length;
    }
    return start;
}
