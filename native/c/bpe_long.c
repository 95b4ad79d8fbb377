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
#include "bpe_long.h"

void tg_long_start(tg_long_state *state) {
    state->node = 0;
    state->total = state->run = 0;
    state->byte = 0;
    state->places[0] = (tg_place){0, 0, 0};
}

/* Of a token of two parts: did the left one stand before the right one when its turn came? Its length
 * if so, else 0. */
static inline uint32_t forms(const tg_long *a, const tg_long_state *state, uint64_t place,
                             uint32_t token, uint64_t ending) {
    const tg_place *before = &state->places[(place - tg_right_size(ending)) & a->ring];
    uint32_t left = before->last, size = before->size;
    while (left > token) {
        uint64_t parts = a->tokens[left];
        left = tg_right(parts);
        size = tg_right_size(parts);
    }
    return left == tg_left(ending) ? size + tg_right_size(ending) : 0;
}

/* Long runs of one character have up to a hundred candidates in each place, so a likely one is tried
 * first: in a run, what ended the prefix PERIOD bytes ago; else what did after the same token and
 * among the same candidates, which the longest names. */
#define PERIOD 128 /* in runs the tokens repeat after so many bytes, or a divisor of it */

/* Is the guess right? It was not reached from the longer ones, so these are asked for. */
static int stands(const tg_vocab *vocab, const tg_long_state *state, uint64_t place,
                  uint32_t token) {
    const tg_long *a = vocab->long_tables;
    uint32_t size = vocab->length[token], limit = TG_NEVER;
    if (size > place || (token >= 256 && !forms(a, state, place, token, a->tokens[token]))) return 0;
    if (size == place) return 1;
    for (uint32_t before = state->places[(place - size) & a->ring].last;;) {
        if (tg_pair(vocab, before, token) < limit) return 0;
        if (before <= token || before < 256) return 1;
        limit = before;
        before = tg_right(a->tokens[before]);
    }
}

static tg_place decide_many(tg_vocab *vocab, tg_long_state *state, uint64_t place,
                            uint32_t longest) {
    const tg_long *a = vocab->long_tables;
    uint64_t key = (uint64_t)longest << TG_TOKEN_BITS | state->places[(place - 1) & a->ring].last;
    uint64_t *guess = &vocab->guesses[tg_hash(key) & ((1u << TG_GUESS_BITS) - 1)];
    uint32_t token = TG_NONE;
    if (state->run > PERIOD) {
        const tg_place *then = &state->places[(place - PERIOD) & a->ring];
        if (then->size <= state->run - PERIOD) token = then->last;
    }
    if (token == TG_NONE && *guess >> TG_TOKEN_BITS == key) token = (uint32_t)*guess & TG_TOKEN_MASK;
    if (token == TG_NONE || !stands(vocab, state, place, token)) {
        for (token = longest; token >= 256; token = tg_shorter(a->tokens[token]))
            if (forms(a, state, place, token, a->tokens[token])) break;
        *guess = key << TG_TOKEN_BITS | token;
    }
    return (tg_place){0, token, vocab->length[token]};
}

#define AHEAD 32 /* bytes the automaton reads ahead, asking for what deciding will need */

void tg_long_feed(tg_vocab *vocab, tg_long_state *state, const uint8_t *bytes, size_t size) {
    const tg_long *a = vocab->long_tables;
    for (size_t start = 0; start < size; start += AHEAD) {
        uint32_t n = size - start < AHEAD ? (uint32_t)(size - start) : AHEAD, longest[AHEAD];
        for (uint32_t i = 0; i < n; i++) {
            uint32_t child = tg_step(a, state->node, bytes[start + i]);
            uint64_t node = a->nodes[child];
            state->node = node >> TG_SIZE_SHIFT ? child : tg_fail(node);
            longest[i] = tg_longest(node);
            __builtin_prefetch(&a->tokens[longest[i]]);
        }
        for (uint32_t i = 0; i < n; i++) {
            uint64_t place = ++state->total, ending = a->tokens[longest[i]];
            uint8_t byte = bytes[start + i];
            tg_place found = {0, longest[i], 1};
            state->run = byte == state->byte ? state->run + 1 : 1;
            state->byte = byte;
            if (tg_is_long(ending)) {
                found = decide_many(vocab, state, place, found.last);
            } else {
                while (found.last >= 256 && !(found.size = forms(a, state, place, found.last, ending))) {
                    found.last = tg_shorter(ending);
                    found.size = 1;
                    ending = a->tokens[found.last];
                }
            }
            found.count = state->places[(place - found.size) & a->ring].count + 1;
            state->places[place & a->ring] = found;
        }
    }
}

uint64_t tg_long_tokens(tg_vocab *vocab, tg_long_state *state) {
    return state->places[state->total & vocab->long_tables->ring].count;
}

uint64_t tg_long_count(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    tg_long_state state;
    if (!tg_long_prepare(vocab)) return (size + 3) / 4;
    tg_long_start(&state);
    tg_long_feed(vocab, &state, piece, size);
    return tg_long_tokens(vocab, &state);
}
