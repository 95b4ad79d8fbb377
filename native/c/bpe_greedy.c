/* Counting by longest match, with back-tracking where two neighbours would not have been
 * neighbours after merging. Linear on ordinary text; a step bound hands adversarial pieces on.
 */
#include "bpe_table.h"

/* Decide by undoing the merges on both sides of the cut, latest first: a merge across the cut that
 * ranks below what has been undone so far would have come first, so the pair cannot stand. Bytes are
 * the tokens below 256, so the later of two is a byte only when both are. Which side is undone is as
 * good as random to the processor, so it is chosen without a branch. */
static int decide_pair(const tg_vocab *vocab, uint32_t left, uint32_t right) {
    uint32_t limit = TG_NEVER;
    for (;;) {
        tg_split a = vocab->split[left], b = vocab->split[right];
        uint32_t known = (tg_least_merge(a.left) < limit) & (tg_least_merge(b.right) < limit) &
                         tg_pair_hint(vocab, tg_pair_key(left, right));
        if (known && tg_find_pair(vocab, tg_pair_key(left, right)) < limit) return 0;
        if ((left | right) < 256) return 1;
        uint32_t later = -(uint32_t)(left > right);
        limit = (left & later) | ((right + 1) & ~later);
        left = (tg_part(a.right) & later) | (left & ~later);
        right = (tg_part(b.left) & ~later) | (right & later);
    }
}

/* The memo of decided pairs is direct-mapped and exact: the 36-bit key is scrambled by an invertible
 * product; its high bits choose the slot and the low bits are stored, so nothing is lost. */
#define REST_BITS (2 * TG_TOKEN_BITS - TG_VALID_BITS)

static inline uint64_t scramble(uint32_t left, uint32_t right) {
    return (tg_pair_key(left, right) * 0x5D1E3779B97F4A7Du) &
           (((uint64_t)1 << (2 * TG_TOKEN_BITS)) - 1);
}

static inline uint32_t *tg_memo(const tg_vocab *vocab, uint32_t left, uint32_t right) {
    return &vocab->valid_pairs[scramble(left, right) >> REST_BITS];
}

int tg_valid_short(const tg_vocab *vocab, uint32_t left, uint32_t right) {
    return decide_pair(vocab, left, right);
}

int tg_valid_pair(tg_vocab *vocab, uint32_t left, uint32_t right) {
    uint64_t mixed = scramble(left, right);
    uint32_t *entry = &vocab->valid_pairs[mixed >> REST_BITS];
    uint32_t rest = (uint32_t)(mixed & (((uint64_t)1 << REST_BITS) - 1)) << 2 | 2;
    if ((*entry & ~1u) == rest) return (int)(*entry & 1);
    int valid = decide_pair(vocab, left, right);
    *entry = rest | (uint32_t)valid;
    return valid;
}

/* The longest token that begins `text` and has at most `size` bytes. */
static uint32_t longest(const tg_vocab *vocab, const uint8_t *text, uint32_t size,
                        uint32_t *work) {
    /* Entries and ends by depth; the root has edges of both kinds. */
    uint32_t nodes[TG_PIECE_MAX + 1], ends[TG_PIECE_MAX + 1], depth = 0, at = 0;
    uint64_t paths[TG_PIECE_MAX + 1];
    nodes[0] = TG_ROOT << 2 | TG_HAS_CHILDREN | TG_HAS_PARTS;
    ends[0] = 0;
    paths[0] = 0;
    while (at < size && (nodes[depth] & TG_HAS_CHILDREN)) {
        uint32_t unit_size = tg_unit_size(text[at]);
        if (unit_size > size - at) break;
        uint32_t unit = tg_unit(text + at, unit_size);
        uint64_t path = tg_path(paths[depth], unit);
        uint32_t child = tg_edge(vocab, path, nodes[depth] >> 2, unit);
        if (child == TG_NONE) break;
        at += unit_size;
        nodes[++depth] = child;
        ends[depth] = at;
        paths[depth] = path;
    }
    *work += depth + 2;
    for (;; depth--) {
        /* A token may end inside the next character: one or two bytes more. */
        at = ends[depth];
        if (at < size && (nodes[depth] & TG_HAS_PARTS)) {
            for (uint32_t part = tg_unit_size(text[at]) - 1; part >= 1; part--) {
                if (part > size - at) continue;
                uint32_t unit = tg_unit(text + at, part);
                uint32_t child = tg_edge(vocab, tg_path(paths[depth], unit), nodes[depth] >> 2,
                                         unit);
                if (child != TG_NONE) return child >> 2;
            }
        }
        if (nodes[depth] >> 2 < TG_ROOT) return nodes[depth] >> 2;
        if (!depth) return vocab->byte_token[text[0]];
    }
}

/* Ask for the trie slots of the first three units from every place in the piece: the walk then
 * waits for memory once rather than at each step. */
void tg_greedy_prefetch(const tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    uint64_t two = 0, three = 0;
    for (uint32_t at = 0; at < size;) {
        uint32_t unit_size = tg_unit_size(piece[at]);
        if (unit_size > size - at) break;
        uint32_t unit = tg_unit(piece + at, unit_size);
        uint64_t one = tg_path(0, unit);
        if (two) __builtin_prefetch(&vocab->edges[tg_path_slot(tg_path(two, unit),
                                                               vocab->edges_size)]);
        if (three) __builtin_prefetch(&vocab->edges[tg_path_slot(tg_path(three, unit),
                                                                 vocab->edges_size)]);
        __builtin_prefetch(&vocab->edges[tg_path_slot(one, vocab->edges_size)]);
        three = two ? tg_path(two, unit) : 0;
        two = one;
        at += unit_size;
    }
}

uint32_t tg_greedy_walk(tg_vocab *vocab, const uint8_t *piece, uint32_t size, uint32_t *tokens) {
    uint32_t count = 0, work = 0;
    for (uint32_t at = 0; at < size; at += vocab->length[tokens[count++]]) {
        uint32_t token = tokens[count] = longest(vocab, piece + at, size - at, &work);
        __builtin_prefetch(&vocab->split[token]);
        if (count) __builtin_prefetch(tg_memo(vocab, tokens[count - 1], token));
    }
    return count;
}

uint32_t tg_greedy_hope(tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    uint32_t tokens[TG_PIECE_MAX], count = tg_greedy_walk(vocab, piece, size, tokens);
    for (uint32_t i = 1; i < count; i++)
        if (!tg_valid_pair(vocab, tokens[i - 1], tokens[i])) return 0;
    return count;
}

uint32_t tg_greedy(tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    uint32_t tokens[TG_PIECE_MAX], count = 0, at = 0, work = 0;
    uint64_t dead[TG_PIECE_MAX / 64 + 1] = {0};
    uint32_t next = longest(vocab, piece, size, &work);
    for (;;) {
        if (work > 5 * size + 64) return TG_NONE;
        uint32_t length = vocab->length[next], end = at + length;
        if (!(dead[end / 64] >> (end % 64) & 1) &&
            (!count || tg_valid_pair(vocab, tokens[count - 1], next))) {
            tokens[count++] = next;
            if (end == size) return count;
            at = end;
            next = longest(vocab, piece + at, size - at, &work);
        } else if (length > 1) {
            next = longest(vocab, piece + at, length - 1, &work);
        } else {
            dead[at / 64] |= (uint64_t)1 << (at % 64);
            if (!count) return TG_NONE; /* cannot be: bytes always match */
            next = tokens[--count];
            at -= vocab->length[next];
            work++;
        }
    }
}
