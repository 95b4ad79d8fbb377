/* Builds the automaton of bpe_automaton.h from a vocabulary's tables. */
#include "bpe_automaton.h"
#include "bpe_long.h"

#include <stdlib.h>

static inline uint64_t node_of(uint32_t children, uint32_t fail, uint32_t longest, uint32_t size) {
    return children | (uint64_t)fail << TG_LINK_BITS | (uint64_t)longest << (2 * TG_LINK_BITS) |
           (uint64_t)size << TG_SIZE_SHIFT;
}

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

typedef struct {
    const tg_vocab *v;
    const uint8_t *bytes;
    const entry *entries;
    tg_long *a;
} planting;

/* The entries from `first` up to `end` share the first `depth` bytes, which lead to `node`: give it its
 * children, next to one another, and then each of these its own. What lies below a node is thus near
 * it, and walking down it costs few lines of the cache. */
static void plant(const planting *p, uint32_t node, uint32_t first, uint32_t end, uint32_t depth) {
    tg_long *a = p->a;
    uint32_t token = TG_NO_TOKEN, size = 0, child, at;
    if (depth && p->v->length[p->entries[first].token] == depth) token = p->entries[first++].token;
    for (uint32_t i = first, last = 256, byte; i < end; i++, last = byte) {
        byte = p->bytes[p->entries[i].offset + depth];
        size += byte != last;
    }
    if (size >= TG_SIZE_MOST && depth) a->nodes[a->n_nodes++] = size;
    child = a->n_nodes;
    a->n_nodes += size;
    a->nodes[node] = node_of(child, 0, token, size < TG_SIZE_MOST ? size : TG_SIZE_MOST);
    for (uint32_t i = first; i < end; i = at, child++) {
        uint8_t byte = p->bytes[p->entries[i].offset + depth];
        for (at = i + 1; at < end && p->bytes[p->entries[at].offset + depth] == byte;) at++;
        a->label[child] = byte;
        plant(p, child, i, at, depth + 1);
    }
}

static void fill_second(tg_long *a) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t *row = a->second + (byte << 8), from = tg_first_child(a->nodes[1 + byte]);
        for (uint32_t next = 0; next < 256; next++) row[next] = 1 + next;
        for (uint32_t i = 0; i < tg_n_children(a, 1 + byte); i++) row[a->label[from + i]] = from + i;
    }
}

static uint64_t ending_of(const tg_vocab *v, uint32_t token, uint32_t shorter) {
    uint32_t left = tg_part(v->split[token].left), right = tg_part(v->split[token].right);
    uint32_t size = left == token ? 0 : v->length[right];
    return tg_ending(left, right, shorter, size, v->length[token] >= TG_LONG_TOKEN);
}

/* Failure links in breadth-first order, each from its parent's, and what ends in each node. `order` has
 * room for all. */
static void link_failures(const tg_vocab *v, tg_long *a, uint32_t *order) {
    uint32_t n = 1;
    order[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t node = order[i], from = tg_first_child(a->nodes[node]);
        uint32_t parent_fail = tg_fail(a->nodes[node]), size = tg_n_children(a, node);
        for (uint32_t child = from; child < from + size; child++) {
            uint64_t *entry = &a->nodes[child];
            uint32_t fail = node ? tg_step(a, parent_fail, a->label[child]) : 0;
            uint32_t token = tg_longest(*entry), shorter = tg_longest(a->nodes[fail]);
            if (token == TG_NO_TOKEN) token = shorter;
            else a->tokens[token] = ending_of(v, token, shorter);
            while (fail > 256 && !tg_n_children(a, fail)) fail = tg_fail(a->nodes[fail]);
            *entry = node_of(tg_first_child(*entry), fail, token,
                             (uint32_t)(*entry >> TG_SIZE_SHIFT));
            if (tg_n_children(a, child)) order[n++] = child;
        }
    }
}

void tg_long_free(tg_long *a) {
    if (a) tg_unmap(a->nodes, a->size);
    free(a);
}

static int allocate(tg_long *a, uint32_t n_nodes, uint32_t n_tokens) {
    n_nodes += n_nodes / TG_SIZE_MOST + 1; /* where large sizes are kept */
    size_t second = (size_t)4 << 16;
    a->size = (size_t)n_nodes * 8 + second + (size_t)n_tokens * 8 + n_nodes + TG_PAD;
    a->nodes = n_nodes < TG_LINK_MASK ? tg_map_huge(a->size) : NULL;
    if (!a->nodes) return 0;
    a->tokens = a->nodes + n_nodes;
    a->second = (uint32_t *)(a->tokens + n_tokens);
    a->label = (uint8_t *)(a->second + (1 << 16));
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
    tg_long *a = calloc(1, sizeof *a);
    int fine = bytes && entries && spare && a;
    uint32_t n = fine ? list_texts(vocab, entries, bytes) : 0, nodes = 1;
    if (fine) {
        for (a->ring = 255; a->ring < longest; a->ring = 2 * a->ring + 1) continue;
        sort_texts(vocab, bytes, entries, spare, n);
        for (uint32_t i = 0; i < n; i++)
            nodes += vocab->length[entries[i].token] -
                     (i ? shared(vocab, bytes, &entries[i - 1], &entries[i]) : 0);
        fine = allocate(a, nodes, vocab->n_tokens);
    }
    if (fine) {
        planting all = {vocab, bytes, entries, a};
        a->n_nodes = 1;
        plant(&all, 0, 0, n, 0);
        fill_second(a);
        link_failures(vocab, a, (uint32_t *)spare);
        vocab->long_tables = a;
    } else {
        tg_long_free(a);
    }
    tg_unmap(bytes, total);
    tg_unmap(entries, entries_size);
    tg_unmap(spare, entries_size);
    return fine;
}

