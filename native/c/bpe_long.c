/* Prefix dynamic programming over an Aho-Corasick automaton of the vocabulary.
 *
 * For each prefix of the piece the last token of its encoding is unique: the one token that ends
 * there and is a valid neighbour of the last token of the prefix before it. The automaton gives the
 * candidates, longest first; a ring of 1,024 prefixes is enough, tokens being shorter. Adversarial
 * input costs the same as any other.
 */
#include "bpe_long.h"
#include "bpe_table.h"

#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* On a run of one character the order of tokens repeats after so many bytes, or a divisor of it. */
#define PERIOD 128

/* A node is children:20 fail:20 longest:18 bits. Children are consecutive, for nodes are numbered
 * breadth-first: they begin at the first and end where the next node's begin. Fail is the longest
 * proper suffix in the trie that has children, for no other is ever stepped from; longest is the
 * longest token that ends the node's text. */
#define NODE_BITS 20
#define NODE_MASK ((1u << NODE_BITS) - 1)

struct tg_long {
    uint32_t n_nodes;
    size_t size;
    uint32_t ring; /* so many prefixes less one are kept: a power of two over the longest token */
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
        for (a->ring = 2 * PERIOD - 1; a->ring < longest; a->ring = 2 * a->ring + 1) continue;
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

void tg_long_start(const tg_vocab *vocab, tg_long_state *state) {
    state->ring = vocab->long_tables->ring;
    state->node = 0;
    state->total = state->run = 0;
    state->byte = 0;
    state->last[0] = TG_NONE;
    state->count[0] = 0;
}

static inline int may_end(tg_vocab *vocab, const tg_long_state *state, uint32_t token,
                          uint64_t total) {
    uint32_t length = vocab->length[token];
    if (length == total) return 1;
    uint32_t before = state->last[(total - length) & state->ring];
    /* Of two short tokens little is to be undone: sooner done than looked up. */
    if (length + vocab->length[before] < 8) return tg_valid_short(vocab, before, token);
    return tg_valid_pair(vocab, before, token);
}

/* The one right token at the end of the text so far. Only one can be, so likely ones are tried
 * first: what was right after the same token in the same place of the automaton, and in a run of one
 * byte what was right a period ago. Longest-first order alone would there try nearly all. */
static inline uint32_t last_token(tg_vocab *vocab, const tg_long_state *state, uint32_t node) {
    const struct tg_long *a = vocab->long_tables;
    uint64_t total = state->total;
    uint32_t last = state->last[(total - 1) & state->ring] & TG_TOKEN_MASK, token;
    uint64_t key = (uint64_t)node << TG_TOKEN_BITS | last;
    uint64_t *guess = &vocab->guesses[tg_hash(key) & ((1u << TG_GUESS_BITS) - 1)];
    if (state->run > PERIOD) {
        token = state->last[(total - PERIOD) & state->ring];
        if (vocab->length[token] <= state->run - PERIOD && may_end(vocab, state, token, total))
            return token;
    }
    token = (uint32_t)*guess & TG_TOKEN_MASK;
    if (*guess && *guess >> TG_TOKEN_BITS == key && may_end(vocab, state, token, total))
        return token;
    token = longest_of(a, node);
    while (!may_end(vocab, state, token, total)) token = a->shorter[token];
    *guess = key << TG_TOKEN_BITS | token;
    return token;
}

/* The automaton runs ahead by a block, so that what deciding reads is fetched by then. */
#define AHEAD 64

void tg_long_feed(tg_vocab *vocab, tg_long_state *state, const uint8_t *bytes, size_t size) {
    const struct tg_long *a = vocab->long_tables;
    uint32_t nodes[AHEAD];
    for (size_t from = 0; from < size; from += AHEAD) {
        size_t n = size - from < AHEAD ? size - from : AHEAD;
        for (size_t i = 0; i < n; i++) {
            uint32_t node = state->node = nodes[i] = step(a, state->node, bytes[from + i]);
            uint32_t token = longest_of(a, node);
            __builtin_prefetch(&vocab->split[token]);
            __builtin_prefetch(&vocab->length[token]);
        }
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = bytes[from + i];
            state->run = byte == state->byte ? state->run + 1 : 1;
            state->byte = byte;
            uint64_t total = ++state->total;
            uint32_t token = last_token(vocab, state, nodes[i]);
            state->last[total & state->ring] = token;
            state->count[total & state->ring] =
                state->count[(total - vocab->length[token]) & state->ring] + 1;
        }
    }
}

uint64_t tg_long_tokens(const tg_long_state *state) {
    return state->count[state->total & state->ring];
}

uint64_t tg_long_count(tg_vocab *vocab, const uint8_t *piece, size_t size) {
    tg_long_state state;
    if (!tg_long_prepare(vocab)) return (size + 3) / 4;
    tg_long_start(vocab, &state);
    tg_long_feed(vocab, &state, piece, size);
    return tg_long_tokens(&state);
}
