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

void tg_prefix_start(const tg_vocab *vocab, tg_prefix *prefix) {
    prefix->node = vocab->automaton.nodes[0];
    prefix->total = prefix->run = prefix->same = 0;
    prefix->byte = TG_NONE;
    prefix->places[0] = (tg_place){0, 0, 0};
}

/* Of a token of two parts: did the left one stand before the right one when its turn came? Its length
 * if so, else 0. */
static inline uint32_t forms(const uint64_t *endings, const tg_place *places, uint64_t ring,
                             uint64_t place, uint32_t token, uint64_t ending) {
    const tg_place *before = &places[(place - tg_right_size(ending)) & ring];
    uint32_t left = before->last, size = before->size;
    while (left > token) {
        uint64_t parts = endings[left];
        left = tg_right(parts);
        size = tg_right_size(parts);
    }
    return left == tg_left(ending) ? size + tg_right_size(ending) : 0;
}

/* What ends the prefix: the longest candidate that forms. */
static inline tg_place decide(const uint64_t *endings, const tg_place *places, uint64_t ring,
                              uint64_t place, uint32_t longest, uint64_t ending) {
    tg_place found = {0, longest, 1};
    while (found.last >= 256) {
        found.size = forms(endings, places, ring, place, found.last, ending);
        if (found.size) return found;
        found.last = tg_shorter(ending);
        ending = endings[found.last];
    }
    found.size = 1;
    return found;
}

/* Long runs of one character have up to a hundred candidates in each place. In a run, what ended the
 * prefix PERIOD bytes ago is tried first; else a FEW candidates, and then what was right after the same
 * token and among the same candidates, which the longest names. And once all the places that a place
 * depends on are as they were PERIOD bytes ago, so are the candidates and so is what follows, to the
 * run's end. */
#define PERIOD 128 /* in runs the tokens repeat after so many bytes, or a divisor of it */
#define FEW 6

/* The length of a guess that is right, else 0. It was not reached from the longer ones, so the later
 * merges are looked up. */
static uint32_t stands(const tg_vocab *vocab, const tg_prefix *prefix, uint64_t place,
                       uint32_t token) {
    const tg_automaton *a = &vocab->automaton;
    uint32_t limit = TG_NONE, size = 1;
    if (token >= 256) {
        uint64_t ending = a->endings[token];
        if (tg_right_size(ending) >= place) return 0;
        size = forms(a->endings, prefix->places, a->ring, place, token, ending);
    }
    if (!size || size == place) return size;
    for (uint32_t before = prefix->places[(place - size) & a->ring].last;;) {
        if (tg_pair(vocab, before, token) < limit) return 0;
        if (before <= token || before < 256) return size;
        limit = before;
        before = tg_right(a->endings[before]);
    }
}

static tg_place decide_many(tg_vocab *vocab, tg_prefix *prefix, uint64_t place, uint64_t run,
                            uint32_t longest) {
    const tg_automaton *a = &vocab->automaton;
    uint64_t key = (uint64_t)longest << TG_TOKEN_BITS | prefix->places[(place - 1) & a->ring].last;
    uint64_t *guess = &vocab->guesses[tg_hash(key) & ((1u << TG_GUESS_BITS) - 1)];
    tg_place found = {0, longest, 0}, then = {0, TG_NONE, 0};
    if (place - run > PERIOD) {
        then = prefix->places[(place - PERIOD) & a->ring];
        if (place - prefix->same > a->ring && place - run > a->ring + PERIOD) return then;
        found.last = then.last;
        if (then.size <= place - run - PERIOD)
            found.size = stands(vocab, prefix, place, then.last);
    }
    if (!found.size) {
        found.last = longest;
        for (int i = 0; i < FEW && found.last >= 256 && !found.size; i++) {
            uint64_t ending = a->endings[found.last];
            found.size = forms(a->endings, prefix->places, a->ring, place, found.last, ending);
            if (!found.size) found.last = tg_shorter(ending);
        }
    }
    if (!found.size && *guess >> TG_TOKEN_BITS == key) {
        longest = found.last;
        found.last = (uint32_t)*guess & TG_TOKEN_MASK;
        found.size = stands(vocab, prefix, place, found.last);
        if (!found.size) found.last = longest;
    }
    if (!found.size) {
        found = decide(a->endings, prefix->places, a->ring, place, found.last,
                       a->endings[found.last]);
        *guess = key << TG_TOKEN_BITS | found.last;
    }
    if (found.last != then.last) prefix->same = place;
    return found;
}

#define AHEAD 8 /* bytes the automaton reads ahead: their misses of the cache pass while others are decided */
#define KEPT 16 /* a power of two, more than AHEAD */

static inline uint64_t read_byte(const tg_automaton *a, uint64_t node, uint8_t byte,
                                 uint32_t *longest) {
    node = a->nodes[tg_step(a, node, byte)];
    *longest = tg_longest(node);
    __builtin_prefetch(&a->endings[*longest]);
    return node;
}

void tg_prefix_feed(tg_vocab *vocab, tg_prefix *prefix, const uint8_t *bytes, size_t size) {
    const tg_automaton *a = &vocab->automaton;
    const uint64_t ring = a->ring;
    uint64_t node = prefix->node, place = prefix->total, run = prefix->run;
    uint32_t longest[KEPT], byte = prefix->byte;
    for (size_t i = 0; i < AHEAD && i < size; i++) node = read_byte(a, node, bytes[i], &longest[i]);
    for (size_t i = 0; i < size; i++) {
        uint32_t token = longest[i % KEPT];
        uint64_t ending = a->endings[token];
        tg_place found;
        if (bytes[i] != byte) run = place;
        byte = bytes[i];
        place++;
        if (__builtin_expect(tg_is_long(ending), 0)) {
            found = decide_many(vocab, prefix, place, run, token);
        } else {
            found = decide(a->endings, prefix->places, ring, place, token, ending);
        }
        found.count = prefix->places[(place - found.size) & ring].count + 1;
        prefix->places[place & ring] = found;
        if (i + AHEAD < size)
            node = read_byte(a, node, bytes[i + AHEAD], &longest[(i + AHEAD) % KEPT]);
    }
    prefix->node = node;
    prefix->total = place;
    prefix->run = run;
    prefix->byte = byte;
}

uint64_t tg_prefix_tokens(const tg_vocab *vocab, const tg_prefix *prefix) {
    return prefix->places[prefix->total & vocab->automaton.ring].count;
}

/* The same with all prefixes in a row and no guesses. */
#define SHORT 32

static inline tg_place next_place(const tg_automaton *a, const tg_place *places, uint64_t place,
                                  uint32_t longest) {
    tg_place found = decide(a->endings, places, UINT64_MAX, place, longest, a->endings[longest]);
    found.count = places[place - found.size].count + 1;
    return found;
}

static uint64_t count_short(const tg_automaton *a, const uint8_t *piece, uint32_t size) {
    tg_place places[SHORT + 1];
    uint32_t longest[SHORT];
    uint64_t node = a->nodes[0];
    places[0] = (tg_place){0, 0, 0};
    for (uint32_t i = 0; i < AHEAD && i < size; i++) node = read_byte(a, node, piece[i], &longest[i]);
    for (uint32_t i = 0; i < size; i++) {
        places[i + 1] = next_place(a, places, i + 1, longest[i]);
        if (i + AHEAD < size) node = read_byte(a, node, piece[i + AHEAD], &longest[i + AHEAD]);
    }
    return places[size].count;
}

/* The automaton reads a byte of each piece in turn; then each is decided. */
void tg_prefix_many(const tg_vocab *vocab, const uint8_t (*pieces)[16], const uint32_t *sizes,
                    uint32_t n, uint32_t *counts) {
    const tg_automaton *a = &vocab->automaton;
    uint32_t longest[TG_MANY][16], busy = n;
    uint64_t node[TG_MANY];
    for (uint32_t k = 0; k < n; k++) node[k] = a->nodes[0];
    for (uint32_t i = 0; busy; i++) {
        busy = 0;
        for (uint32_t k = 0; k < n; k++) {
            if (i >= sizes[k]) continue;
            node[k] = read_byte(a, node[k], pieces[k][i], &longest[k][i]);
            __builtin_prefetch(&a->nodes[tg_children(node[k])]);
            busy++;
        }
    }
    for (uint32_t k = 0; k < n; k++) {
        tg_place places[16];
        places[0] = (tg_place){0, 0, 0};
        for (uint32_t i = 0; i < sizes[k]; i++)
            places[i + 1] = next_place(a, places, i + 1, longest[k][i]);
        counts[k] = (uint32_t)places[sizes[k]].count;
    }
}

uint64_t tg_prefix_count(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    tg_prefix prefix;
    if (size <= SHORT) return count_short(&vocab->automaton, piece, (uint32_t)size);
    tg_prefix_start(vocab, &prefix);
    tg_prefix_feed(vocab, &prefix, piece, size);
    return tg_prefix_tokens(vocab, &prefix);
}
