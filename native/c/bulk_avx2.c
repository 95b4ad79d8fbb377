/* Splits ASCII text 64 bytes at a time with byte-class masks and a little boundary algebra.
 *
 * A window begins at a piece's start, so no state enters it. Bit i of a mask says what byte i is;
 * the set of boundaries follows from the patterns in native/vocab/families.py by shifts, and only
 * boundaries whose whole right context lies in the window's ASCII part are used. Whatever the
 * algebra does not cover (other scripts, a few rare shapes) goes piece by piece through the
 * automaton of split.h, which is the definition; a fuzzer holds the two equal.
 */
#include "split.h"

#if defined(__x86_64__)
#include "bulk_queue.h"

#define WINDOW 64

typedef struct {
    __m256i low, high;
} block;

TG_AVX2 TG_INLINE uint64_t bits(__m256i low, __m256i high) {
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

TG_AVX2 TG_INLINE uint64_t equal(block text, char byte) {
    __m256i all = _mm256_set1_epi8(byte);
    return bits(_mm256_cmpeq_epi8(text.low, all), _mm256_cmpeq_epi8(text.high, all));
}

/* Bytes from `first` on, `count` of them. */
TG_AVX2 TG_INLINE uint64_t range(block text, char first, char count) {
    __m256i base = _mm256_set1_epi8(first), most = _mm256_set1_epi8((char)(count - 1));
    __m256i low = _mm256_sub_epi8(text.low, base), high = _mm256_sub_epi8(text.high, base);
    return bits(_mm256_cmpeq_epi8(_mm256_min_epu8(low, most), low),
                _mm256_cmpeq_epi8(_mm256_min_epu8(high, most), high));
}

TG_INLINE uint64_t below(uint32_t bit) {
    return bit >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bit) - 1;
}

typedef struct {
    uint64_t upper, lower, digit, space, blank, newline, mark, quote;
    uint32_t size; /* bytes of the window that may be used */
} masks;

/* Ends of contractions begun by the quotes in `at`; `*split` gets places inside one where the case
 * may change. */
TG_AVX2 TG_INLINE uint64_t contractions(block text, uint64_t at, uint64_t *begun, uint64_t *split) {
    __m256i fold = _mm256_set1_epi8(0x20);
    block lower = {_mm256_or_si256(text.low, fold), _mm256_or_si256(text.high, fold)};
    uint64_t one = equal(lower, 's') | equal(lower, 't') | equal(lower, 'm') | equal(lower, 'd');
    uint64_t e = equal(lower, 'e'), l = equal(lower, 'l');
    uint64_t two = (equal(lower, 'r') | equal(lower, 'v')) & e >> 1;
    uint64_t brief = at & one >> 1, longer = at & (two | (l & l >> 1)) >> 1;
    *begun = brief | longer;
    *split = longer << 2;
    return brief << 2 | longer << 3;
}

TG_INLINE uint64_t digit_starts(uint64_t digit, int one_digit) {
    if (one_digit) return digit;
    uint64_t starts = digit & ~(digit << 1), four = digit & digit << 1 & digit << 2 & digit << 3;
    for (uint64_t group = starts << 3 & four; group; group = group << 3 & four) starts |= group;
    return starts;
}

/* Newline, blanks, newline is one piece unless the first newline belongs to punctuation: take away
 * the boundary where such blanks start, also where the window does not show what follows them. */
TG_INLINE uint64_t joined_blanks(const masks *m, uint64_t start, uint64_t tail) {
    uint64_t doubtful = start & (m->newline & ~tail) << 1, joined = 0;
    uint64_t ends = (m->blank + doubtful) & ~m->blank;
    uint64_t joins = ends & (m->newline | ~below(m->size));
    if (m->size == WINDOW && m->blank >> 63) {
        uint32_t last = 64 - (uint32_t)__builtin_clzll(~m->blank | 1);
        if (~m->blank) joined |= last < 64 ? doubtful & (uint64_t)1 << last : 0;
    }
    for (; joins; joins &= joins - 1) {
        uint32_t end = (uint32_t)__builtin_ctzll(joins);
        uint64_t before = ~m->blank & below(end);
        joined |= (uint64_t)1 << (before ? 64 - (uint32_t)__builtin_clzll(before) : 0);
    }
    return joined;
}

/* The boundaries inside a window whose first byte starts a piece. */
TG_AVX2 TG_INLINE uint64_t boundaries(block text, masks *m, const uint32_t flags) {
    uint64_t letter = m->upper | m->lower, mark_start = m->mark & ~(m->mark << 1);
    uint64_t spaced = m->space << 1, tail = m->newline & ~(m->newline + (m->newline & m->mark << 1));
    uint64_t single = mark_start & ~(m->mark >> 1) & ~spaced;
    uint64_t add = 0, drop = 0;
    if (flags & TG_SLASH_TAIL) {
        uint64_t swallowed = tail << 1 & m->mark;
        if (swallowed) {
            swallowed &= equal(text, '/');
            if (swallowed) m->size = (uint32_t)__builtin_ctzll(swallowed);
        }
    }
    if (flags & (TG_ATTACHED | TG_SEPARATE)) {
        uint64_t quote = m->quote & ((flags & TG_ATTACHED) ? letter << 1 : single);
        if (quote) {
            uint64_t begun, inside;
            add = contractions(text, quote, &begun, &inside);
            if (flags & TG_ATTACHED) {
                drop = begun | inside;
                uint64_t again = add & m->quote; /* a second contraction does not attach */
                if (again) {
                    uint32_t at = (uint32_t)__builtin_ctzll(again);
                    m->size = at < m->size ? at : m->size;
                }
            }
        }
    }
    uint64_t blank_start = m->blank & ~(m->blank << 1);
    uint64_t found = letter & ~(letter << 1) & ~(m->blank << 1) & ~(single << 1);
    if (flags & TG_CASE_SPLIT) found |= m->lower << 1 & m->upper;
    found |= digit_starts(m->digit, flags & TG_ONE_DIGIT);
    found |= mark_start & ~spaced;
    found |= blank_start | (m->blank & ~((m->blank | m->newline) >> 1));
    found |= m->newline & ~((m->newline | m->blank | m->mark) << 1);
    if (blank_start & (m->newline & ~tail) << 1) found &= ~joined_blanks(m, blank_start, tail);
    found = (found & ~drop) | add;
    /* The last two usable bytes are right context only. */
    return m->size < 3 ? 0 : found & below(m->size - 2) & ~(uint64_t)1;
}

TG_AVX2 TG_INLINE uint64_t split_window(const uint8_t *at, const uint32_t flags) {
    block text = {_mm256_loadu_si256((const __m256i *)at),
                  _mm256_loadu_si256((const __m256i *)(at + 32))};
    uint64_t wide = bits(text.low, text.high);
    masks m;
    m.size = wide ? (uint32_t)__builtin_ctzll(wide) : WINDOW;
    uint64_t use = below(m.size);
    m.upper = range(text, 'A', 26) & use;
    m.lower = range(text, 'a', 26) & use;
    m.digit = range(text, '0', 10) & use;
    m.space = equal(text, ' ') & use;
    uint64_t controls = range(text, '\t', 5) & use; /* tab, LF, VT, FF, CR */
    m.newline = 0;
    m.blank = m.space;
    if (controls) {
        m.newline = (equal(text, '\n') | equal(text, '\r')) & use;
        m.blank |= controls & ~m.newline;
    }
    m.quote = equal(text, '\'') & use;
    m.mark = use & ~(m.upper | m.lower | m.digit | m.blank | m.newline);
    return boundaries(text, &m, flags);
}

/* Queue the pieces between boundaries; all loads stay within 15 bytes of the window. Returns where
 * the last one ends. */
TG_AVX2 TG_INLINE uint32_t queue_pieces(const tg_vocab *vocab, tg_queue *queue,
                                        const uint8_t *text, uint64_t found) {
    uint32_t start = 0;
    for (; found; found &= found - 1) {
        uint32_t end = (uint32_t)__builtin_ctzll(found);
        tg_queue_add(vocab, queue, text + start, end - start);
        start = end;
    }
    return start;
}

TG_AVX2 TG_INLINE size_t run(tg_vocab *vocab, const uint8_t *text, size_t size, uint64_t *tokens,
                             const uint32_t flags) {
    size_t start = 0;
    tg_queue queue;
    queue.n = queue.n_long = queue.batch.n = 0;
    for (;;) {
        if (size - start >= WINDOW + TG_PAD && !((text[start] | text[start + 1]) & 0x80)) {
            uint64_t found = split_window(text + start, flags);
            if (found) {
                start += queue_pieces(vocab, &queue, text + start, found);
                if (queue.n >= TG_QUEUE || queue.n_long >= TG_QUEUE)
                    *tokens += tg_queue_flush(vocab, &queue);
                continue;
            }
        }
        tg_scan scan = {0, 0, 0, 0};
        if (tg_scan_piece(vocab, text + start, size - start, &scan) != TG_PIECE) break;
        size_t length = tg_piece_size(&scan);
        if (size - start < length + TG_PAD) {
            *tokens += tg_count_piece(vocab, text + start, length);
        } else {
            tg_queue_add(vocab, &queue, text + start, (uint32_t)length);
            if (queue.n >= TG_QUEUE || queue.n_long >= TG_QUEUE)
                *tokens += tg_queue_flush(vocab, &queue);
        }
        start += length;
    }
    *tokens += tg_queue_flush(vocab, &queue) + tg_batch_flush(vocab, &queue.batch);
    return start;
}

/* One compiled loop per shape, so that the flags are constants in it. */
#define SHAPE(name, flags)                                                                       \
    TG_AVX2 static size_t name(tg_vocab *vocab, const uint8_t *text, size_t size, uint64_t *to) { \
        return run(vocab, text, size, to, flags);                                                \
    }

SHAPE(cased_attached_slash, TG_CASE_SPLIT | TG_ATTACHED | TG_SLASH_TAIL)
SHAPE(cased_attached, TG_CASE_SPLIT | TG_ATTACHED)
SHAPE(cased_slash_one, TG_CASE_SPLIT | TG_SLASH_TAIL | TG_ONE_DIGIT)
SHAPE(plain, TG_SEPARATE)
SHAPE(plain_one, TG_SEPARATE | TG_ONE_DIGIT)

size_t tg_bulk_avx2(tg_vocab *vocab, const uint8_t *text, size_t size, uint64_t *tokens) {
    switch (vocab->flags & ~(uint32_t)TG_MASKS) {
    case TG_CASE_SPLIT | TG_ATTACHED | TG_SLASH_TAIL:
        return cased_attached_slash(vocab, text, size, tokens);
    case TG_CASE_SPLIT | TG_ATTACHED:
        return cased_attached(vocab, text, size, tokens);
    case TG_CASE_SPLIT | TG_SLASH_TAIL | TG_ONE_DIGIT:
        return cased_slash_one(vocab, text, size, tokens);
    case TG_SEPARATE:
        return plain(vocab, text, size, tokens);
    case TG_SEPARATE | TG_ONE_DIGIT:
        return plain_one(vocab, text, size, tokens);
    default:
        return 0;
    }
}
#endif
