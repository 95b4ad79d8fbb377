/* Prefix dynamic programming over an automaton of the vocabulary (bpe_automaton.h).
 *
 * For each prefix of the piece the last token of its encoding is unique, and so is the count. The
 * automaton gives the candidates, longest first; which of them is the one follows from what ended the
 * prefixes before, no more of which matter than the longest token has bytes: a ring is enough.
 *
 * A token t merged from l and r can end the prefix only if l stood at the end of the prefix without r
 * when, taking merges in their order, t's turn came: if undoing the merges of that prefix's last token
 * which come after t, from the right, one arrives at l. The longest for which this holds is the one.
 * For let p end the prefix before t. All that could keep t from standing is a later merge of t with
 * what p's place ended with by then, a token T = (y, t). T is a longer candidate, and y stood at the
 * end of the prefix without t when T's turn came: so this holds of T, which would have been taken.
 */
#include "bpe_automaton.h"
#include "bpe_prefix.h"

void tg_prefix_start(tg_prefix *prefix) {
    prefix->node = 0;
    prefix->total = prefix->run = 0;
    prefix->byte = 0;
    prefix->places[0] = (tg_place){0, 0, 0};
}

/* Of a token of two parts: did the left one stand before the right one when its turn came? Its length
 * if so, else 0. */
static inline uint32_t forms(const tg_automaton *a, const tg_prefix *prefix, uint64_t place,
                             uint32_t token, uint64_t ending) {
    const tg_place *before = &prefix->places[(place - tg_right_size(ending)) & a->ring];
    uint32_t left = before->last, size = before->size;
    while (left > token) {
        uint64_t parts = a->endings[left];
        left = tg_right(parts);
        size = tg_right_size(parts);
    }
    return left == tg_left(ending) ? size + tg_right_size(ending) : 0;
}

/* Long runs of one character have up to a hundred candidates in each place, so a likely one is tried
 * first: in a run, what ended the prefix PERIOD bytes ago; else what did after the same token and
 * among the same candidates, which the longest names. */
#define PERIOD 128 /* in runs the tokens repeat after so many bytes, or a divisor of it */

/* The length of a guess that is right, else 0. It was not reached from the longer ones, so the later
 * merges are looked up. */
static uint32_t stands(const tg_vocab *vocab, const tg_prefix *prefix, uint64_t place,
                       uint32_t token) {
    const tg_automaton *a = &vocab->automaton;
    uint32_t limit = TG_NONE, size = 1;
    if (token >= 256) {
        uint64_t ending = a->endings[token];
        if (tg_right_size(ending) >= place) return 0;
        size = forms(a, prefix, place, token, ending);
    }
    if (!size || size == place) return size;
    for (uint32_t before = prefix->places[(place - size) & a->ring].last;;) {
        if (tg_pair(vocab, before, token) < limit) return 0;
        if (before <= token || before < 256) return size;
        limit = before;
        before = tg_right(a->endings[before]);
    }
}

static tg_place decide_many(tg_vocab *vocab, const tg_prefix *prefix, uint64_t place,
                            uint32_t longest) {
    const tg_automaton *a = &vocab->automaton;
    uint64_t key = (uint64_t)longest << TG_TOKEN_BITS | prefix->places[(place - 1) & a->ring].last;
    uint64_t *guess = &vocab->guesses[tg_hash(key) & ((1u << TG_GUESS_BITS) - 1)];
    uint32_t token = TG_NONE, size = 0;
    if (prefix->run > PERIOD) {
        const tg_place *then = &prefix->places[(place - PERIOD) & a->ring];
        if (then->size <= prefix->run - PERIOD) token = then->last;
    }
    if (token == TG_NONE && *guess >> TG_TOKEN_BITS == key) token = (uint32_t)*guess & TG_TOKEN_MASK;
    if (token != TG_NONE) size = stands(vocab, prefix, place, token);
    if (!size) {
        for (token = longest; token >= 256; token = tg_shorter(a->endings[token]))
            if ((size = forms(a, prefix, place, token, a->endings[token]))) break;
        if (token < 256) size = 1;
        *guess = key << TG_TOKEN_BITS | token;
    }
    return (tg_place){0, token, size};
}

#define AHEAD 32 /* bytes the automaton reads ahead, asking for what deciding will need */

void tg_prefix_feed(tg_vocab *vocab, tg_prefix *prefix, const uint8_t *bytes, size_t size) {
    const tg_automaton *a = &vocab->automaton;
    for (size_t start = 0; start < size; start += AHEAD) {
        uint32_t n = size - start < AHEAD ? (uint32_t)(size - start) : AHEAD, longest[AHEAD];
        for (uint32_t i = 0; i < n; i++) {
            uint32_t child = tg_step(a, prefix->node, bytes[start + i]);
            uint64_t node = a->nodes[child];
            prefix->node = node >> TG_SIZE_SHIFT ? child : tg_fail(node);
            longest[i] = tg_longest(node);
            __builtin_prefetch(&a->endings[longest[i]]);
        }
        for (uint32_t i = 0; i < n; i++) {
            uint64_t place = ++prefix->total, ending = a->endings[longest[i]];
            uint8_t byte = bytes[start + i];
            tg_place found = {0, longest[i], 1};
            prefix->run = byte == prefix->byte ? prefix->run + 1 : 1;
            prefix->byte = byte;
            if (tg_is_long(ending)) {
                found = decide_many(vocab, prefix, place, found.last);
            } else {
                while (found.last >= 256 &&
                       !(found.size = forms(a, prefix, place, found.last, ending))) {
                    found.last = tg_shorter(ending);
                    found.size = 1;
                    ending = a->endings[found.last];
                }
            }
            found.count = prefix->places[(place - found.size) & a->ring].count + 1;
            prefix->places[place & a->ring] = found;
        }
    }
}

uint64_t tg_prefix_tokens(const tg_vocab *vocab, const tg_prefix *prefix) {
    return prefix->places[prefix->total & vocab->automaton.ring].count;
}

uint64_t tg_prefix_count(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    tg_prefix prefix;
    tg_prefix_start(&prefix);
    tg_prefix_feed(vocab, &prefix, piece, size);
    return tg_prefix_tokens(vocab, &prefix);
}
