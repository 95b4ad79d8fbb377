/* Counting by longest match, with back-tracking where two neighbours would not have been
 * neighbours after merging. Linear on ordinary text; a step bound hands adversarial pieces on.
 */
#include "bpe_table.h"

/* Decide by undoing the merges on both sides of the cut, latest first: a merge across the cut that
 * ranks below what has been undone so far would have come first, so the pair cannot stand. */
static int decide_pair(const tg_vocab *vocab, uint32_t left, uint32_t right) {
    uint32_t limit = TG_NONE;
    for (;;) {
        tg_split a = vocab->split[left], b = vocab->split[right];
        if ((a.left & b.right & TG_IS_PART) && tg_pair(vocab, left, right) < limit) return 0;
        uint32_t left_end = a.right & TG_TOKEN_MASK, right_start = b.left & TG_TOKEN_MASK;
        if (left > right) {
            limit = left;
            if (left_end != left) {
                left = left_end;
                continue;
            }
            limit = right + 1;
            if (right_start == right) return 1;
            right = right_start;
        } else {
            limit = right + 1;
            if (right_start != right) {
                right = right_start;
                continue;
            }
            limit = left;
            if (left_end == left) return 1;
            left = left_end;
        }
    }
}

int tg_valid_pair(tg_vocab *vocab, uint32_t left, uint32_t right) {
    /* Direct-mapped and exact: the 36-bit key is scrambled by an invertible product; its high bits
     * choose the slot and the low bits are stored, so nothing of the key is lost. */
    const uint64_t key_mask = ((uint64_t)1 << (2 * TG_TOKEN_BITS)) - 1;
    uint64_t mixed = (tg_pair_key(left, right) * 0x5D1E3779B97F4A7Du) & key_mask;
    uint32_t slot = (uint32_t)(mixed >> (2 * TG_TOKEN_BITS - TG_VALID_BITS));
    uint32_t rest = (uint32_t)mixed & ((1u << (2 * TG_TOKEN_BITS - TG_VALID_BITS)) - 1);
    uint32_t entry = vocab->valid_pairs[slot];
    if (entry >> 2 == rest && (entry & 2)) return (int)(entry & 1);
    int valid = decide_pair(vocab, left, right);
    vocab->valid_pairs[slot] = rest << 2 | 2 | (uint32_t)valid;
    return valid;
}

/* The longest token that begins `text` and has at most `size` bytes. */
static uint32_t longest(const tg_vocab *vocab, const uint8_t *text, uint32_t size) {
    uint32_t nodes[TG_PIECE_MAX + 1], ends[TG_PIECE_MAX + 1], depth = 0, at = 0;
    nodes[0] = TG_ROOT;
    ends[0] = 0;
    while (at < size) {
        uint32_t unit_size = tg_unit_size(text[at]);
        if (unit_size > size - at) break;
        uint32_t child = tg_edge(vocab, nodes[depth], tg_unit(text + at, unit_size));
        if (child == TG_NONE) break;
        at += unit_size;
        nodes[++depth] = child;
        ends[depth] = at;
    }
    for (;; depth--) {
        /* A token may end inside the next character: one or two bytes more. */
        at = ends[depth];
        uint32_t unit_size = at < size ? tg_unit_size(text[at]) : 1;
        for (uint32_t part = unit_size - 1; part >= 1; part--) {
            if (part > size - at) continue;
            uint32_t child = tg_edge(vocab, nodes[depth], tg_unit(text + at, part));
            if (child != TG_NONE) return child;
        }
        if (nodes[depth] < TG_ROOT) return nodes[depth];
        if (!depth) return vocab->byte_token[text[0]];
    }
}

uint32_t tg_greedy(tg_vocab *vocab, const uint8_t *piece, uint32_t size) {
    uint32_t tokens[TG_PIECE_MAX], count = 0, at = 0, steps = 16 * size + 64;
    uint64_t dead[TG_PIECE_MAX / 64 + 1] = {0};
    uint32_t next = longest(vocab, piece, size);
    for (;;) {
        if (!--steps) return TG_NONE;
        uint32_t length = vocab->length[next], end = at + length;
        if (!(dead[end / 64] >> (end % 64) & 1) &&
            (!count || tg_valid_pair(vocab, tokens[count - 1], next))) {
            tokens[count++] = next;
            if (end == size) return count;
            at = end;
            next = longest(vocab, piece + at, size - at);
        } else if (length > 1) {
            next = longest(vocab, piece + at, length - 1);
        } else {
            dead[at / 64] |= (uint64_t)1 << (at % 64);
            if (!count) return TG_NONE; /* cannot be: bytes always match */
            next = tokens[--count];
            at -= vocab->length[next];
        }
    }
}
