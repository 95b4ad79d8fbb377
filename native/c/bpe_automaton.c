/* Builds the automaton of bpe_automaton.h, and the table of pairs, from the tokens' parts and text. */
#include "bpe_automaton.h"

static inline uint64_t node_of(uint32_t children, uint32_t fail, uint32_t longest, uint32_t size) {
    return children | (uint64_t)fail << TG_LINK_BITS | (uint64_t)longest << (2 * TG_LINK_BITS) |
           (uint64_t)size << TG_SIZE_SHIFT;
}

/* Can merging build the token? */
static inline int is_merged(const tg_texts *t, uint32_t token) {
    return token < 256 || t->left[token] != token;
}

/* A token's text, to be sorted. */
typedef struct {
    uint64_t head; /* the first eight bytes, big-endian, so that numbers sort as text */
    uint32_t token, offset;
} entry;

static uint64_t head_of(const uint8_t *text, uint32_t size) {
    uint64_t head = 0, little = tg_low_bytes(tg_load8(text), size);
    for (int i = 0; i < 8; i++) head = head << 8 | (little >> (8 * i) & 255);
    return head;
}

/* List the tokens that merging can build; returns how many. */
static uint32_t list_entries(const tg_vocab *v, const tg_texts *t, entry *entries) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        if (!is_merged(t, i)) continue;
        entries[n++] = (entry){head_of(t->bytes + t->offset[i], t->length[i]), i, t->offset[i]};
    }
    return n;
}

static int before(const tg_texts *t, const entry *a, const entry *b) {
    uint32_t size_a = t->length[a->token], size_b = t->length[b->token];
    int order = memcmp(t->bytes + a->offset, t->bytes + b->offset, size_a < size_b ? size_a : size_b);
    return order ? order < 0 : size_a < size_b;
}

/* Radix sort by the first eight bytes, then insertion among the few that share them. */
static void sort_entries(const tg_texts *t, entry *entries, entry *spare, uint32_t n) {
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
        for (; at && entries[at - 1].head == moved.head && before(t, &moved, &entries[at - 1]);
             at--)
            entries[at] = entries[at - 1];
        entries[at] = moved;
    }
}

static uint32_t shared(const tg_texts *t, const entry *a, const entry *b) {
    uint32_t most = t->length[a->token], size = 0;
    if (t->length[b->token] < most) most = t->length[b->token];
    while (size < most && t->bytes[a->offset + size] == t->bytes[b->offset + size]) size++;
    return size;
}

typedef struct {
    const tg_texts *texts;
    const entry *entries;
    tg_automaton *a;
} planting;

/* The entries from `first` up to `end` share the first `depth` bytes, which lead to `node`: give it its
 * children, next to one another, and then each of these its own. What lies below a node is thus near
 * it, and walking down it costs few lines of the cache. */
static void plant(const planting *p, uint32_t node, uint32_t first, uint32_t end, uint32_t depth) {
    tg_automaton *a = p->a;
    uint32_t token = TG_NO_TOKEN, size = 0, child, at;
    if (depth && p->texts->length[p->entries[first].token] == depth) token = p->entries[first++].token;
    for (uint32_t i = first, last = 256, byte; i < end; i++, last = byte) {
        byte = p->texts->bytes[p->entries[i].offset + depth];
        size += byte != last;
    }
    if (size >= TG_SIZE_MOST && depth) a->nodes[a->n_words++] = size;
    uint32_t from = a->n_words;
    uint8_t *label = (uint8_t *)(a->nodes + from);
    child = depth ? from + tg_label_words(size) : from;
    a->n_words = child + size;
    a->nodes[node] = node_of(from, 0, token, size < TG_SIZE_MOST ? size : TG_SIZE_MOST);
    for (uint32_t i = first; i < end; i = at, child++) {
        uint8_t byte = p->texts->bytes[p->entries[i].offset + depth];
        for (at = i + 1; at < end && p->texts->bytes[p->entries[at].offset + depth] == byte;) at++;
        if (depth) *label++ = byte;
        plant(p, child, i, at, depth + 1);
    }
}

static void fill_second(tg_automaton *a) {
    for (uint32_t row = 0; row <= 256; row++) {
        uint32_t *to = a->second + (row << 8), number = row < 256 ? 1 + row : 0;
        uint64_t node = a->nodes[number];
        for (uint32_t byte = 0; byte < 256; byte++) to[byte] = 1 + byte;
        uint32_t size = number ? tg_true_size(a, node) : 0, child = tg_children(node);
        const uint8_t *label = (const uint8_t *)(a->nodes + child);
        for (uint32_t i = 0; i < size; i++) to[label[i]] = child + tg_label_words(size) + i;
    }
}

static uint64_t ending_of(const tg_texts *t, uint32_t token, uint32_t shorter) {
    uint32_t left = t->left[token], right = t->right[token];
    uint32_t size = left == token ? 0 : t->length[right];
    return tg_ending(left, right, shorter, size, t->length[token] >= TG_LONG_TOKEN);
}

/* Failure links in breadth-first order, each from its parent's, and what ends in each node. `order` has
 * room for all. Where the children of the first nodes are is forgotten once they are linked. */
static void link_failures(const tg_texts *t, tg_automaton *a, uint32_t *order) {
    uint32_t n = 1;
    order[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t number = order[i];
        uint64_t node = a->nodes[number];
        uint32_t size = number ? tg_true_size(a, node) : 256, child = tg_children(node);
        const uint8_t *label = (const uint8_t *)(a->nodes + child);
        if (number) child += tg_label_words(size);
        if (number <= 256) {
            uint32_t row = number ? (number - 1) << 8 : TG_ROOT_ROW;
            a->nodes[number] = node_of(row, 0, tg_longest(node), TG_SIZE_ROW);
        }
        for (uint32_t k = 0; k < size; k++, child++) {
            uint64_t *entry = &a->nodes[child];
            uint32_t fail = number ? tg_step(a, a->nodes[tg_fail(node)], label[k]) : 0;
            uint64_t suffix = a->nodes[fail];
            uint32_t token = tg_longest(*entry), shorter = tg_longest(suffix);
            if (token == TG_NO_TOKEN) token = shorter;
            else a->endings[token] = ending_of(t, token, shorter);
            int inner = !number || tg_size(*entry);
            *entry = inner ? node_of(tg_children(*entry), fail, token, tg_size(*entry))
                           : node_of(tg_children(suffix), tg_fail(suffix), token, tg_size(suffix));
            if (inner) order[n++] = child;
        }
    }
}

void tg_automaton_free(tg_automaton *a) {
    tg_unmap(a->nodes, a->size);
}

/* Of so many nodes at most each has a word of bytes before it, or an eighth of one, and one in
 * TG_SIZE_MOST a size. */
static int allocate(tg_automaton *a, uint32_t n_nodes, uint32_t n_inner, uint32_t n_tokens) {
    size_t second = (size_t)257 * 256 * 4, words = n_nodes + n_inner + n_nodes / 8 + n_nodes / TG_SIZE_MOST + 4;
    a->size = words * 8 + second + (size_t)n_tokens * 8;
    a->nodes = words < TG_LINK_MASK ? tg_map_huge(&a->size) : NULL;
    if (!a->nodes) return 0;
    a->endings = a->nodes + words;
    a->second = (uint32_t *)(a->endings + n_tokens);
    return 1;
}

static void fill_pairs(tg_vocab *v, const tg_texts *t) {
    for (uint32_t i = 256; i < v->n_tokens; i++) {
        if (!is_merged(t, i)) continue;
        uint32_t slot = tg_pair_slot(t->left[i], t->right[i], v->pairs_size);
        while (v->pairs[slot] != TG_NONE) slot = slot + 1 == v->pairs_size ? 0 : slot + 1;
        v->pairs[slot] = i;
    }
}

int tg_automaton_build(tg_vocab *vocab, const tg_texts *texts) {
    tg_automaton *a = &vocab->automaton;
    size_t entries_size = sizeof(entry) * vocab->n_tokens;
    entry *entries = tg_map(entries_size), *spare = tg_map(entries_size);
    uint32_t *order = NULL, n = 0, nodes = 1, inner = 1;
    int fine = entries && spare;
    if (fine) {
        n = list_entries(vocab, texts, entries);
        sort_entries(texts, entries, spare, n);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t same = i ? shared(texts, &entries[i - 1], &entries[i]) : 0;
            nodes += texts->length[entries[i].token] - same;
            /* All the new ones but the last have children, and so has the one they grow from, which
             * had none if it is the whole of the token before. */
            inner += texts->length[entries[i].token] - same - (i && same < texts->length[entries[i - 1].token]);
        }
        order = tg_map((size_t)nodes * 4);
        fine = order && allocate(a, nodes, inner, vocab->n_tokens);
    }
    if (fine) {
        planting all = {texts, entries, a};
        for (a->ring = 255; a->ring < texts->longest; a->ring = 2 * a->ring + 1) continue;
        a->n_words = 1;
        plant(&all, 0, 0, n, 0);
        fill_second(a);
        link_failures(texts, a, order);
        fill_pairs(vocab, texts);
    }
    tg_unmap(order, (size_t)nodes * 4);
    tg_unmap(entries, entries_size);
    tg_unmap(spare, entries_size);
    return fine;
}
