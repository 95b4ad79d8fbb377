/* Builds a vocabulary's tables from its file (written by native/vocab/build.py). */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* madvise and MAP_ANONYMOUS under -std=c11 */
#endif
#include "bpe_automaton.h"

#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

typedef struct {
    const uint8_t *at, *end;
} reader;

static const uint8_t *take(reader *in, size_t size) {
    if ((size_t)(in->end - in->at) < size) return NULL;
    const uint8_t *found = in->at;
    in->at += size;
    return found;
}

static uint32_t u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t u16(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static size_t power_of_two(size_t least) {
    size_t size = 1024;
    while (size < least) size *= 2;
    return size;
}

/* Zeroed memory that goes back to the system when freed, for tables and for what building them
 * needs: a heap would keep the latter. Big tables ask for huge pages, for they are read at random,
 * and a page-table walk costs more than the cache miss. */
#if defined(__linux__) && !defined(TG_PLAIN_MALLOC)
void *tg_map(size_t size) {
    void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return found == MAP_FAILED ? NULL : found;
}

void tg_unmap(void *found, size_t size) {
    if (found) munmap(found, size);
}

#define HUGE_PAGE ((size_t)2 << 20)

/* More is taken than needed, and what lies outside whole huge pages is given back. */
void *tg_map_huge(size_t *size) {
    *size = (*size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uint8_t *found = tg_map(*size + HUGE_PAGE);
    if (!found) return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)found % HUGE_PAGE) % HUGE_PAGE;
    if (before) munmap(found, before);
    munmap(found + before + *size, HUGE_PAGE - before);
    madvise(found + before, *size, MADV_HUGEPAGE);
    return found + before;
}
#else
void *tg_map(size_t size) {
    return calloc(1, size);
}

void tg_unmap(void *found, size_t size) {
    (void)size;
    free(found);
}

void *tg_map_huge(size_t *size) {
    return tg_map(*size);
}
#endif

static void *carve(uint8_t **at, size_t size) {
    void *found = *at;
    *at += (size + 63) & ~(size_t)63;
    return found;
}

/* Lay the tables out in the arena. The sizes hold each table under 60 % full. */
static int lay_out(tg_vocab *v, uint32_t n_literals_bytes, uint32_t n_blocks) {
    size_t words7 = power_of_two((size_t)v->n_tokens * 5 / 4);
    size_t words15 = power_of_two((size_t)v->n_tokens * 5 / 8);
    size_t pairs = (size_t)v->n_tokens * 7 / 4;
    size_t fixed = ((size_t)8 << TG_CACHE7_BITS) + ((size_t)16 << TG_CACHE15_BITS) +
                   (sizeof(tg_key31) << TG_CACHE31_BITS) + ((size_t)8 << TG_GUESS_BITS);
    size_t total = words7 * 8 + words15 * 16 + pairs * 4 + fixed + n_literals_bytes +
                   (0x110000 / 128) * 2 + (size_t)n_blocks * 128 + 16 * 64;
    v->arena_size = total;
    v->arena = tg_map_huge(&v->arena_size);
    if (!v->arena) return 0;
    uint8_t *at = v->arena;
    v->cache7 = carve(&at, (size_t)8 << TG_CACHE7_BITS);
    v->cache15 = carve(&at, (size_t)16 << TG_CACHE15_BITS);
    v->cache31 = carve(&at, sizeof(tg_key31) << TG_CACHE31_BITS);
    v->guesses = carve(&at, (size_t)8 << TG_GUESS_BITS);
    v->first = carve(&at, (0x110000 / 128) * 2);
    v->blocks = carve(&at, (size_t)n_blocks * 128);
    v->words7 = carve(&at, words7 * 8);
    v->words15 = carve(&at, words15 * 16);
    v->pairs = carve(&at, pairs * 4);
    v->literals = carve(&at, n_literals_bytes);
    v->room7 = (uint32_t)words7 / 5;
    v->room15 = (uint32_t)words15 / 5;
    v->words7_mask = (uint32_t)words7 - 1;
    v->words15_mask = (uint32_t)words15 - 1;
    v->pairs_size = (uint32_t)pairs;
    memset(v->cache15, 0xFF, (size_t)16 << TG_CACHE15_BITS);
    memset(v->words15, 0xFF, words15 * 16);
    memset(v->pairs, 0xFF, pairs * 4);
    return 1;
}

/* A whole piece that is a token counts as one. The empty slot is zero in the table of 7 (no key is,
 * its length being >= 1) and all ones in the table of 15 (no UTF-8 is). */
static void add_word(tg_vocab *v, const uint8_t *text, uint32_t size) {
    uint8_t padded[24] = {0};
    if (size > 15) return;
    memcpy(padded, text, size);
    uint64_t low = tg_load8(padded);
    uint64_t one = (uint64_t)1 << 59;
    if (size <= 7) {
        uint64_t key = tg_key7(low, size);
        uint64_t hash = tg_hash(key);
        uint32_t slot = (uint32_t)hash & v->words7_mask;
        while (v->words7[slot]) slot = (slot + 1) & v->words7_mask;
        v->words7[slot] = key | one;
        uint64_t *cached = &v->cache7[hash & ((1u << TG_CACHE7_BITS) - 1)];
        if (!*cached) *cached = key | one;
        return;
    }
    uint64_t high = tg_key7(tg_load8(padded + 8), size - 8);
    uint64_t hash = tg_hash16(low, high);
    uint32_t slot = (uint32_t)hash & v->words15_mask;
    while (v->words15[slot].high != TG_EMPTY) slot = (slot + 1) & v->words15_mask;
    v->words15[slot] = (tg_key16){low, high | one};
    tg_key16 *cached = &v->cache15[hash & ((1u << TG_CACHE15_BITS) - 1)];
    if (cached->high == TG_EMPTY) *cached = (tg_key16){low, high | one};
}

/* Write every token's text: the literals first, for merged tokens may be made of them. */
static void write_texts(tg_vocab *v, tg_texts *t, const uint8_t *literal, uint32_t n_whole,
                        const uint8_t *bytes) {
    uint8_t *keep = v->literals;
    uint32_t at = 0;
    for (uint32_t i = 0; i < v->n_tokens; at += t->length[i++]) t->offset[i] = at;
    for (uint32_t i = 0; i < n_whole; i++) {
        uint32_t length = u16(literal + 4);
        memcpy(t->bytes + t->offset[u32(literal)], literal + 6, length);
        if (length > 15) {
            uint64_t hash = tg_hash(tg_load8(literal + 6));
            v->literal_bloom[hash & 63] |= (uint64_t)1 << (hash >> 6 & 63);
            v->n_literals++;
            memcpy(keep, literal + 4, length + 2);
            keep += length + 2;
        }
        literal += length + 6;
    }
    memcpy(t->bytes, bytes, 256);
    for (uint32_t i = 256; i < v->n_tokens; i++) {
        uint32_t left = t->left[i], right = t->right[i];
        uint8_t *to = t->bytes + t->offset[i];
        if (left == i) continue;
        memcpy(to, t->bytes + t->offset[left], t->length[left]);
        memcpy(to + t->length[left], t->bytes + t->offset[right], t->length[right]);
    }
}

static void free_texts(tg_texts *t, uint32_t n) {
    tg_unmap(t->left, (size_t)n * 14);
    tg_unmap(t->bytes, t->bytes_size);
}

static int allocate_texts(tg_texts *t, uint32_t n) {
    t->left = tg_map((size_t)n * 14);
    if (!t->left) return 0;
    t->right = t->left + n;
    t->offset = t->right + n;
    t->length = (uint16_t *)(t->offset + n);
    return 1;
}

/* Reconstruct token text from the pairs: parts always have a lower rank than their token. */
static int read_tokens(tg_vocab *v, reader *in, uint32_t n_whole, tg_texts *t) {
    uint32_t n = v->n_tokens, merged = n - 256;
    const uint8_t *bytes = take(in, 256), *planes = take(in, (size_t)merged * 6);
    if (!bytes || !planes || !allocate_texts(t, n)) return 0;
    const uint8_t *literal = in->at;
    size_t total = 256;
    for (uint32_t i = 0; i < 256; i++) {
        t->left[i] = t->right[i] = i;
        t->length[i] = 1;
    }
    for (uint32_t i = 0; i < n_whole; i++) {
        const uint8_t *head = take(in, 6);
        if (!head || !take(in, u16(head + 4))) return 0;
        if (u32(head) < 256 || u32(head) >= n || u16(head + 4) < 2) return 0;
        t->length[u32(head)] = (uint16_t)u16(head + 4);
    }
    for (uint32_t i = 256; i < n; i++) {
        const uint8_t *p = planes + (i - 256);
        uint32_t left = p[0] | (uint32_t)p[merged] << 8 | (uint32_t)p[2 * (size_t)merged] << 16;
        uint32_t right = p[3 * (size_t)merged] | (uint32_t)p[4 * (size_t)merged] << 8 |
                         (uint32_t)p[5 * (size_t)merged] << 16;
        t->left[i] = t->right[i] = i;
        if (!t->length[i]) {
            if (left >= i || right >= i) return 0;
            if (left >= 256 && t->left[left] == left) return 0; /* not built by merging itself */
            if (right >= 256 && t->left[right] == right) return 0;
            t->length[i] = (uint16_t)(t->length[left] + t->length[right]);
            t->left[i] = left;
            t->right[i] = right;
        }
        if (t->length[i] > TG_TOKEN_MAX) return 0;
        if (t->length[i] > t->longest) t->longest = t->length[i];
        total += t->length[i];
    }
    t->bytes_size = total + TG_PAD;
    t->bytes = tg_map(t->bytes_size);
    if (!t->bytes) return 0;
    write_texts(v, t, literal, n_whole, bytes);
    return 1;
}

tg_vocab *tg_vocab_load(const uint8_t *classes, size_t classes_size, const uint8_t *data,
                        size_t size) {
    reader unicode = {classes, classes + classes_size}, in = {data, data + size};
    const uint8_t *table = take(&unicode, 8), *head = take(&in, 28);
    if (!table || memcmp(table, "TGU1", 4) || !head || memcmp(head, "TGV1", 4)) return NULL;
    uint32_t n_blocks = u16(table + 4), n_whole = u32(head + 8);
    uint32_t n_states = head[24];
    const uint8_t *first = take(&unicode, (0x110000 / 128) * 2);
    const uint8_t *blocks = take(&unicode, (size_t)n_blocks * 128);
    const uint8_t *ascii = take(&in, 128), *base = take(&in, 32);
    const uint8_t *rows = take(&in, (size_t)n_states * TG_ROW);
    tg_vocab *v = calloc(1, sizeof *v);
    tg_texts t = {0};
    int fine = v && blocks && rows && n_states && n_states <= TG_MAX_STATES &&
               u32(head + 4) >= 256 && u32(head + 4) < TG_NO_TOKEN;
    if (fine) {
        v->n_tokens = u32(head + 4);
        v->flags = u32(head + 12);
#if defined(__x86_64__)
        v->has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#endif
        fine = lay_out(v, u32(head + 16), n_blocks);
    }
    for (size_t i = 0; fine && i < (size_t)n_states * TG_ROW; i++)
        fine = (rows[i] & 0x7F) == 0x7F || (rows[i] & 0x7Fu) < n_states;
    if (fine) {
        memcpy(v->rows, rows, (size_t)n_states * TG_ROW);
        memcpy(v->ascii, ascii, 128);
        for (uint32_t i = 0; i < 0x110000 / 128; i++) {
            uint32_t block = u16(first + 2 * (size_t)i);
            fine = fine && block < n_blocks;
            v->first[i] = (uint16_t)block;
        }
        for (size_t i = 0; i < (size_t)n_blocks * 128; i++) v->blocks[i] = base[blocks[i] & 31] & 31;
        for (int i = 0; i < 128; i++) v->ascii[i] &= 31;
    }
    fine = fine && read_tokens(v, &in, n_whole, &t) && tg_automaton_build(v, &t);
    for (uint32_t i = 0; fine && i < v->n_tokens; i++)
        add_word(v, t.bytes + t.offset[i], t.length[i]);
    if (v) free_texts(&t, v->n_tokens);
    if (fine) return v;
    tg_vocab_free(v);
    return NULL;
}

/* A copy of one table, in the twin's own arena. */
static void *copied(uint8_t **at, const void *table, size_t size) {
    return memcpy(carve(at, size), table, size);
}

tg_vocab *tg_vocab_twin(const tg_vocab *v) {
    size_t words7 = ((size_t)v->words7_mask + 1) * sizeof *v->words7;
    size_t words15 = ((size_t)v->words15_mask + 1) * sizeof *v->words15;
    size_t cache7 = (size_t)8 << TG_CACHE7_BITS, cache15 = (size_t)16 << TG_CACHE15_BITS;
    size_t cache31 = sizeof(tg_key31) << TG_CACHE31_BITS, guesses = (size_t)8 << TG_GUESS_BITS;
    tg_vocab *twin = malloc(sizeof *twin);
    if (!twin) return NULL;
    *twin = *v;
    twin->twin_of = v;
    twin->arena_size = words7 + words15 + cache7 + cache15 + cache31 + guesses;
    twin->arena = tg_map_huge(&twin->arena_size);
    if (!twin->arena) {
        free(twin);
        return NULL;
    }
    uint8_t *at = twin->arena;
    twin->cache7 = copied(&at, v->cache7, cache7);
    twin->cache15 = copied(&at, v->cache15, cache15);
    twin->cache31 = copied(&at, v->cache31, cache31);
    twin->guesses = copied(&at, v->guesses, guesses);
    twin->words7 = copied(&at, v->words7, words7);
    twin->words15 = copied(&at, v->words15, words15);
    return twin;
}

void tg_vocab_free(tg_vocab *vocab) {
    if (!vocab) return;
    if (!vocab->twin_of) tg_automaton_free(&vocab->automaton);
    tg_unmap(vocab->arena, vocab->arena_size);
    free(vocab);
}
