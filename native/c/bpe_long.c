/* Prefix dynamic programming over an Aho-Corasick automaton of the vocabulary.
 *
 * For each prefix of the piece the last token of its encoding is unique: the one token that ends
 * there and is a valid neighbour of the last token of the prefix before it. The automaton gives the
 * candidates, longest first. Most prefixes are never asked about, so they are decided on demand; from
 * time to time all of the last ones are, and then nothing before them matters: a ring is enough.
 */
#include "bpe_long.h"
#include "bpe_table.h"

#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* A node is children:20 fail:20 longest:18 bits. Children are consecutive, for nodes are numbered
 * breadth-first: they begin at the first and end where the next node's begin. Fail is the longest
 * proper suffix in the trie that has children, for no other is ever stepped from; longest is the
 * longest token that ends the node's text. */
#define NODE_BITS 20
#define NODE_MASK ((1u << NODE_BITS) - 1)

struct tg_long {
    uint32_t n_nodes;
    size_t size;
    uint32_t keep; /* a power of two, no less than the longest token */
    uint32_t ring; /* mask of the places kept in a state */
    uint64_t *nodes; /* one more than there are: its children end the last node's */
    uint32_t *second; /* by two bytes: where the second leads from the node of the first */
    uint32_t *shorter; /* per token: the next shorter token that ends it */
    uint8_t *label;
};

static inline uint32_t first_child(const struct tg_long *a, uint32_t node) {
    return (uint32_t)a->nodes[node] & NODE_MASK;
}

static inline uint32_t fail_of(const struct tg_long *a, uint32_t node) {
    return (uint32_t)(a->nodes[node] >> NODE_BITS) & NODE_MASK;
}

static inline uint32_t longest_of(const struct tg_long *a, uint32_t node) {
    return (uint32_t)(a->nodes[node] >> (2 * NODE_BITS));
}

static inline uint64_t node_of(uint32_t children, uint32_t fail, uint32_t longest) {
    return children | (uint64_t)fail << NODE_BITS | (uint64_t)longest << (2 * NODE_BITS);
}

/* Every byte is a token, so the root's children are the nodes 1 to 256, in the bytes' order. */
#define FIRST(byte) (1 + (uint32_t)(byte))
#define NO_TOKEN TG_TOKEN_MASK

/* Flags of a place that is not decided: a candidate stands in it, and it is a guess. */
#define BEGUN 0x40000000u
#define GUESSED 0x20000000u

/* Token text while building, in lexicographic order. */
typedef struct {
    uint64_t head; /* the first eight bytes, big-endian, so that numbers sort as text */
    uint32_t token, offset;
} entry;

static void write_token(const tg_vocab *v, const uint8_t *byte_of, uint32_t token, uint8_t *to) {
    while (token >= 256) {
        uint32_t left = tg_part(v->split[token].left);
        write_token(v, byte_of, left, to);
        to += v->length[left];
        token = tg_part(v->split[token].right);
    }
    *to = byte_of[token];
}

/* Write the text of every token that merging can build; returns how many. */
static uint32_t list_texts(const tg_vocab *v, entry *entries, uint8_t *bytes) {
    uint8_t byte_of[256];
    uint32_t at = 0, n = 0;
    for (uint32_t b = 0; b < 256; b++) byte_of[v->byte_token[b]] = (uint8_t)b;
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        if (i >= 256 && tg_part(v->split[i].left) == i) continue;
        write_token(v, byte_of, i, bytes + at);
        uint64_t head = tg_low_bytes(tg_load8(bytes + at), v->length[i]);
        entries[n++] = (entry){__builtin_bswap64(head), i, at};
        at += v->length[i];
    }
    return n;
}

static int before(const tg_vocab *v, const uint8_t *bytes, const entry *a, const entry *b) {
    uint32_t size_a = v->length[a->token], size_b = v->length[b->token];
    int order = memcmp(bytes + a->offset, bytes + b->offset, size_a < size_b ? size_a : size_b);
    return order ? order < 0 : size_a < size_b;
}

/* Radix sort by the first eight bytes, then insertion among the few that share them. */
static void sort_texts(const tg_vocab *v, const uint8_t *bytes, entry *entries, entry *spare,
                       uint32_t n) {
    for (int shift = 0; shift < 64; shift += 8) {
        uint32_t place[257] = {0};
        for (uint32_t i = 0; i < n; i++) place[(entries[i].head >> shift & 255) + 1]++;
        for (int b = 1; b < 257; b++) place[b] += place[b - 1];
        for (uint32_t i = 0; i < n; i++) spare[place[entries[i].head >> shift & 255]++] = entries[i];
        entry *swap = entries;
        entries = spare;
        spare = swap;
    }
    for (uint32_t i = 1; i < n; i++) {
        entry moved = entries[i];
        uint32_t at = i;
        for (; at && entries[at - 1].head == moved.head && before(v, bytes, &moved, &entries[at - 1]);
             at--)
            entries[at] = entries[at - 1];
        entries[at] = moved;
    }
}

static uint32_t shared(const tg_vocab *v, const uint8_t *bytes, const entry *a, const entry *b) {
    uint32_t most = v->length[a->token], size = 0;
    if (v->length[b->token] < most) most = v->length[b->token];
    while (size < most && bytes[a->offset + size] == bytes[b->offset + size]) size++;
    return size;
}

/* Number the nodes by depth, then lexicographically: a node's children are then consecutive, and
 * begin where the next level stands when the node is made. */
static void grow(const tg_vocab *v, struct tg_long *a, const uint8_t *bytes, const entry *entries,
                 uint32_t n) {
    uint32_t next[TG_RING + 2] = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t depth = i ? shared(v, bytes, &entries[i - 1], &entries[i]) : 0;
        for (; depth < v->length[entries[i].token]; depth++) next[depth + 2]++;
    }
    next[1] = 1;
    for (int d = 2; d < TG_RING + 2; d++) next[d] += next[d - 1];
    a->n_nodes = next[TG_RING + 1];
    a->nodes[0] = node_of(1, 0, NO_TOKEN);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t depth = i ? shared(v, bytes, &entries[i - 1], &entries[i]) : 0, node = 0;
        uint32_t token = entries[i].token;
        for (; depth < v->length[token]; depth++) {
            node = next[depth + 1]++;
            a->label[node] = bytes[entries[i].offset + depth];
            a->nodes[node] = node_of(next[depth + 2], 0, depth + 1 < v->length[token] ? NO_TOKEN : token);
        }
    }
    a->nodes[a->n_nodes] = node_of(a->n_nodes, 0, NO_TOKEN);
}

static inline uint32_t child_of(const struct tg_long *a, uint32_t node, uint8_t byte) {
    uint32_t from = first_child(a, node), size = first_child(a, node + 1) - from;
    const uint8_t *labels = a->label + from;
#if defined(__SSE2__)
    if (size <= 16) {
        __m128i some = _mm_loadu_si128((const __m128i *)labels);
        uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some, _mm_set1_epi8((char)byte)));
        found &= (1u << size) - 1;
        return found ? from + (uint32_t)__builtin_ctz(found) : TG_NONE;
    }
#endif
    const uint8_t *found = memchr(labels, byte, size);
    return found ? from + (uint32_t)(found - labels) : TG_NONE;
}

static inline uint32_t step(const struct tg_long *a, uint32_t node, uint8_t byte) {
    for (; node > 256; node = fail_of(a, node)) {
        uint32_t child = child_of(a, node, byte);
        if (child != TG_NONE) return child;
    }
    return node ? a->second[(node - 1) << 8 | byte] : FIRST(byte);
}

static void fill_second(struct tg_long *a) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t *row = a->second + (byte << 8), node = FIRST(byte);
        for (uint32_t next = 0; next < 256; next++) row[next] = FIRST(next);
        for (uint32_t child = first_child(a, node); child < first_child(a, node + 1); child++)
            row[a->label[child]] = child;
    }
}

/* Failure links in breadth-first order, each from its parent's. */
static void link_failures(struct tg_long *a) {
    for (uint32_t node = 0; node < a->n_nodes; node++) {
        uint32_t from = first_child(a, node), end = first_child(a, node + 1);
        for (uint32_t child = from; child < end; child++) {
            uint32_t fail = node ? step(a, fail_of(a, node), a->label[child]) : 0;
            uint32_t token = longest_of(a, child), shorter = longest_of(a, fail);
            if (token == NO_TOKEN) token = shorter;
            else a->shorter[token] = shorter;
            while (fail > 256 && first_child(a, fail) == first_child(a, fail + 1))
                fail = fail_of(a, fail);
            a->nodes[child] = node_of(first_child(a, child), fail, token);
        }
    }
}

void tg_long_free(struct tg_long *a) {
    if (a) tg_unmap(a->nodes, a->size);
    free(a);
}

static int allocate(struct tg_long *a, uint32_t n_nodes, uint32_t n_tokens) {
    size_t second = (size_t)4 << 16;
    a->size = ((size_t)n_nodes + 1) * 8 + second + (size_t)n_tokens * 4 + n_nodes + TG_PAD;
    a->nodes = n_nodes < NODE_MASK ? tg_map_huge(a->size) : NULL;
    if (!a->nodes) return 0;
    a->second = (uint32_t *)(a->nodes + n_nodes + 1);
    a->shorter = a->second + (1 << 16);
    a->label = (uint8_t *)(a->shorter + n_tokens);
    return 1;
}

int tg_long_prepare(tg_vocab *vocab) {
    if (vocab->long_tables) return 1;
    size_t total = TG_PAD;
    uint32_t longest = 0;
    for (uint32_t i = 0; i < vocab->n_tokens; i++) {
        total += vocab->length[i];
        if (vocab->length[i] > longest) longest = vocab->length[i];
    }
    size_t entries_size = sizeof(entry) * vocab->n_tokens;
    uint8_t *bytes = tg_map(total);
    entry *entries = tg_map(entries_size), *spare = tg_map(entries_size);
    struct tg_long *a = calloc(1, sizeof *a);
    int fine = bytes && entries && spare && a;
    uint32_t n = fine ? list_texts(vocab, entries, bytes) : 0, nodes = 1;
    if (fine) {
        for (a->keep = 128; a->keep < longest; a->keep *= 2) continue;
        a->ring = (a->keep < TG_RING / 8 ? 8 * a->keep : TG_RING) - 1;
        sort_texts(vocab, bytes, entries, spare, n);
        for (uint32_t i = 0; i < n; i++)
            nodes += vocab->length[entries[i].token] -
                     (i ? shared(vocab, bytes, &entries[i - 1], &entries[i]) : 0);
        fine = allocate(a, nodes, vocab->n_tokens);
    }
    if (fine) {
        grow(vocab, a, bytes, entries, n);
        fill_second(a);
        link_failures(a);
        vocab->long_tables = a;
    } else {
        tg_long_free(a);
    }
    tg_unmap(bytes, total);
    tg_unmap(entries, entries_size);
    tg_unmap(spare, entries_size);
    return fine;
}

void tg_long_start(tg_long_state *state) {
    state->node = 0;
    state->total = state->settled = state->run = 0;
    state->byte = 0;
    state->last[0] = 0;
    state->count[0] = 0;
}

static inline int is_valid(tg_vocab *vocab, uint32_t left, uint32_t right) {
    /* Of two short tokens little is to be undone: sooner done than looked up. */
    if (vocab->length[left] + vocab->length[right] < 8) return tg_valid_short(vocab, left, right);
    return tg_valid_pair(vocab, left, right);
}

/* Long runs of one character have up to a hundred candidates in each place, and each refused one may
 * ask for another place: there every place is decided as it comes, and likely candidates are tried
 * first. MANY is the length in bytes of the run, or of the longest candidate, from which on this is
 * so. */
#define MANY 16
#define PERIOD 128 /* in runs the tokens repeat after so many bytes, or a divisor of it */

/* Where is kept what was right after the same token and among the same candidates, which the longest
 * names. NULL where that is not worth the asking or the token before is not known. */
static inline uint64_t *guess_at(const tg_vocab *vocab, const tg_long_state *state, uint64_t place,
                                 uint64_t *key) {
    const struct tg_long *a = vocab->long_tables;
    uint64_t longest = state->count[place & a->ring];
    uint32_t before = state->last[(place - 1) & a->ring];
    if (vocab->length[longest] < MANY || before & TG_PENDING) return NULL;
    *key = longest << TG_TOKEN_BITS | before;
    return &vocab->guesses[tg_hash(*key) & ((1u << TG_GUESS_BITS) - 1)];
}

/* Begin on a place: its first candidate. */
static inline uint32_t first_candidate(const tg_vocab *vocab, const tg_long_state *state,
                                       uint64_t place, uint32_t longest) {
    if (place == state->total && state->run > PERIOD) {
        uint32_t token = state->last[(place - PERIOD) & vocab->long_tables->ring];
        if (!(token & TG_PENDING) && vocab->length[token] <= state->run - PERIOD)
            return token | TG_PENDING | BEGUN | GUESSED;
    }
    uint64_t key, *guess = guess_at(vocab, state, place, &key);
    if (!guess || *guess >> TG_TOKEN_BITS != key) return longest | TG_PENDING | BEGUN;
    return ((uint32_t)*guess & TG_TOKEN_MASK) | TG_PENDING | BEGUN | GUESSED;
}

/* Find the last token of the prefix that ends at `place`, and of those it depends on. Candidates are
 * tried longest first; one whose predecessor is not known yet waits for that. */
static void resolve(tg_vocab *vocab, tg_long_state *state, uint64_t place) {
    const struct tg_long *a = vocab->long_tables;
    uint32_t waiting[TG_RING], depth = 0; /* distances from the total */
    while (state->last[place & a->ring] & TG_PENDING) {
        uint32_t *last = &state->last[place & a->ring];
        uint64_t *count = &state->count[place & a->ring], key, *guess;
        if (!(*last & BEGUN)) *last = first_candidate(vocab, state, place, (uint32_t)*count);
        uint32_t token = *last & TG_TOKEN_MASK;
        uint64_t from = place - vocab->length[token];
        uint32_t before = state->last[from & a->ring];
        if (from && before & TG_PENDING) {
            waiting[depth++] = (uint32_t)(state->total - place);
            place = from;
        } else if (from && !is_valid(vocab, before, token)) {
            uint32_t next = *last & GUESSED ? (uint32_t)*count : a->shorter[token];
            *last = next | TG_PENDING | BEGUN;
        } else {
            if ((guess = guess_at(vocab, state, place, &key))) *guess = key << TG_TOKEN_BITS | token;
            *last = token;
            *count = state->count[from & a->ring] + 1;
            if (depth) place = state->total - waiting[--depth];
        }
    }
}

/* Whatever follows, its encoding leaves the text so far at one of the last places, for no token is
 * longer than `keep`. With these known nothing older is asked for again. */
static void settle(tg_vocab *vocab, tg_long_state *state) {
    uint64_t keep = vocab->long_tables->keep, total = state->total;
    for (uint64_t place = total > keep ? total - keep : 0; place <= total; place++)
        resolve(vocab, state, place);
    state->settled = total;
}

void tg_long_feed(tg_vocab *vocab, tg_long_state *state, const uint8_t *bytes, size_t size) {
    const struct tg_long *a = vocab->long_tables;
    for (size_t i = 0; i < size; i++) {
        if (state->total - state->settled >= a->ring + 1 - 2 * a->keep) settle(vocab, state);
        state->node = step(a, state->node, bytes[i]);
        uint64_t slot = ++state->total & a->ring;
        uint32_t longest = longest_of(a, state->node);
        state->run = bytes[i] == state->byte ? state->run + 1 : 1;
        state->byte = bytes[i];
        state->last[slot] = TG_PENDING;
        state->count[slot] = longest;
        if (vocab->length[longest] >= MANY || state->run >= MANY)
            resolve(vocab, state, state->total);
    }
}

uint64_t tg_long_tokens(tg_vocab *vocab, tg_long_state *state) {
    resolve(vocab, state, state->total);
    return state->count[state->total & vocab->long_tables->ring];
}

uint64_t tg_long_count(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    tg_long_state state;
    if (!tg_long_prepare(vocab)) return (size + 3) / 4;
    tg_long_start(&state);
    tg_long_feed(vocab, &state, piece, size);
    return tg_long_tokens(vocab, &state);
}
