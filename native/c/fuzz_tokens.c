/* Coverage-guided fuzzing of the counter: every way of counting a text must agree.
 *
 * Input: one byte choosing the vocabulary, one seeding the cuts, then the text, any bytes. Compared:
 * fed whole in bulk with AVX2, whole without, cut at random, each piece by its prefixes, and by plain
 * merging, with tables of this file's own, made from the vocabulary's file. The address sanitizer sees
 * any reading beyond a feed, for what follows is marked. With libFuzzer this is a target; with
 * -DTG_STANDALONE a program that runs the files named. The folder of uncompressed vocabularies is
 * TALLYGATE_VOCABULARIES (native/vocab/unpack.py writes it).
 */
#include "bpe_prefix.h"
#include "split.h"
#include "tokens.h"

#if defined(__has_include) && __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {"o200k_base", "cl100k_base", "kimi_k2", "deepseek_v3",
                                    "qwen",       "tekken",      "glm4"};
#define N_VOCABULARIES (sizeof NAMES / sizeof *NAMES)
static tg_vocab *vocabularies[N_VOCABULARIES];

/* What plain merging needs: the token of each byte, and of each pair in a hash table. */
#define PAIRS (1u << 20)
#define LITERALS 1024
#define TEXT_MOST 65536
typedef struct {
    uint32_t byte_token[256], n_literals;
    uint64_t *pairs; /* left:18 right:18 merged:18, or all ones */
    const uint8_t *literals[LITERALS]; /* rank:4 length:2 bytes: whole pieces that are one token */
    uint8_t *file;
} plain;
static plain plains[N_VOCABULARIES];

static uint8_t *read_file(const char *folder, const char *name, const char *ending, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, file) != *size) exit(2);
    fclose(file);
    return data;
}

static uint32_t pair_slot(uint64_t key) {
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 44);
}

/* The vocabulary's file again, read apart from bpe_load.c. */
static void read_plain(plain *p, uint8_t *file) {
    uint32_t n, whole;
    memcpy(&n, file + 4, 4);
    memcpy(&whole, file + 8, 4);
    const uint8_t *bytes = file + 28 + 128 + 32 + (size_t)file[24] * TG_ROW;
    const uint8_t *planes = bytes + 256, *at = planes + (size_t)(n - 256) * 6;
    uint8_t *is_literal = calloc(n, 1);
    p->file = file;
    p->pairs = malloc(PAIRS * 8);
    if (!p->pairs || !is_literal || whole > LITERALS) exit(2);
    memset(p->pairs, 0xFF, PAIRS * 8);
    for (uint32_t i = 0; i < 256; i++) p->byte_token[bytes[i]] = i;
    for (; p->n_literals < whole; at += 6 + at[4] + 256 * at[5]) {
        uint32_t rank;
        memcpy(&rank, at, 4);
        is_literal[rank] = 1;
        p->literals[p->n_literals++] = at;
    }
    for (uint32_t i = 256; i < n; i++) {
        uint32_t part[6];
        if (is_literal[i]) continue;
        for (uint32_t k = 0; k < 6; k++) part[k] = planes[(i - 256) + (size_t)k * (n - 256)];
        uint64_t key = (uint64_t)(part[0] | part[1] << 8 | part[2] << 16) << 18 |
                       (part[3] | part[4] << 8 | part[5] << 16);
        uint32_t slot = pair_slot(key);
        while (p->pairs[slot] != UINT64_MAX) slot = (slot + 1) % PAIRS;
        p->pairs[slot] = key << 18 | i;
    }
    free(is_literal);
}

static uint32_t pair_of(const plain *p, uint32_t left, uint32_t right) {
    uint64_t key = (uint64_t)left << 18 | right;
    for (uint32_t slot = pair_slot(key);; slot = (slot + 1) % PAIRS) {
        if (p->pairs[slot] >> 18 == key && p->pairs[slot] != UINT64_MAX)
            return (uint32_t)p->pairs[slot] & TG_TOKEN_MASK;
        if (p->pairs[slot] == UINT64_MAX) return TG_NONE;
    }
}

/* The textbook's way: merge the leftmost pair of lowest rank until none is left. */
static uint64_t merge_plainly(const plain *p, const uint8_t *piece, size_t size) {
    static uint32_t token[TEXT_MOST], rank[TEXT_MOST];
    size_t n = size;
    for (size_t i = 0; i < n; i++) token[i] = p->byte_token[piece[i]];
    for (size_t i = 0; i + 1 < n; i++) rank[i] = pair_of(p, token[i], token[i + 1]);
    for (;;) {
        uint32_t least = TG_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (rank[i] < least) least = rank[at = i];
        if (least == TG_NONE) break;
        token[at] = least;
        n--;
        memmove(token + at + 1, token + at + 2, (n - at - 1) * 4);
        memmove(rank + at, rank + at + 1, (n - at - 1) * 4);
        if (at) rank[at - 1] = pair_of(p, token[at - 1], least);
        if (at + 1 < n) rank[at] = pair_of(p, least, token[at + 1]);
    }
    return n;
}

/* A vocabulary may hold tokens that merging never builds: they count as whole pieces only. */
static uint64_t count_plainly(const plain *p, const uint8_t *piece, size_t size) {
    for (uint32_t i = 0; i < p->n_literals; i++) {
        const uint8_t *head = p->literals[i];
        if (size == head[4] + 256u * head[5] && !memcmp(head + 6, piece, size)) return 1;
    }
    return merge_plainly(p, piece, size);
}

static void load_all(void) {
    const char *folder = getenv("TALLYGATE_VOCABULARIES");
    size_t classes_size, size;
    if (!folder) folder = "build/vocab/raw";
    uint8_t *classes = read_file(folder, "unicode", ".tgu", &classes_size);
    for (size_t i = 0; i < N_VOCABULARIES; i++) {
        uint8_t *data = read_file(folder, NAMES[i], ".tgv", &size);
        vocabularies[i] = tg_vocab_load(classes, classes_size, data, size);
        if (!vocabularies[i]) exit(2);
        read_plain(&plains[i], data);
    }
    free(classes);
}

/* What has not been fed yet is out of bounds. */
static uint64_t count(tg_vocab *vocab, const uint8_t *text, size_t size, uint32_t seed) {
    tg_counter counter;
    uint8_t *data = malloc(size ? size : 1);
    if (!data) exit(2);
    memcpy(data, text, size);
    ASAN_POISON_MEMORY_REGION(data, size);
    tg_counter_start(&counter, vocab);
    for (size_t at = 0; at < size;) {
        size_t part = size - at;
        if (seed) {
            seed = seed * 1664525u + 1013904223u;
            size_t most = (seed >> 16 & 3) == 0 ? 1 : (seed >> 16 & 3) == 1 ? 5 : 150;
            size_t want = 1 + (seed >> 20) % most;
            if (want < part) part = want;
        }
        ASAN_UNPOISON_MEMORY_REGION(data, at + part);
        tg_counter_feed(&counter, data + at, part);
        at += part;
    }
    free(data);
    tg_counter_boundary(&counter);
    uint64_t tokens = counter.decided;
    tg_counter_clear(&counter);
    return tokens;
}

/* Piece by piece; SIZE_MAX when the text is not valid UTF-8. */
static uint64_t count_slowly(size_t number, const uint8_t *data, size_t size) {
    tg_vocab *vocab = vocabularies[number];
    uint64_t tokens = 0;
    for (size_t start = 0; start < size;) {
        tg_scan scan = {0, 0, 0, 0};
        int found = tg_scan_piece(vocab, data + start, size - start, &scan);
        if (found == TG_INVALID || (found == TG_MORE && scan.at != size - start)) return SIZE_MAX;
        size_t length = found == TG_PIECE ? tg_piece_size(&scan)
                                          : tg_scan_end(vocab, &scan, size - start);
        uint64_t merged = merge_plainly(&plains[number], data + start, length);
        if (merged != tg_prefix_count(vocab, data + start, length)) abort();
        tokens += count_plainly(&plains[number], data + start, length);
        start += length;
    }
    return tokens;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!vocabularies[0]) load_all();
    if (size < 2 || size > TEXT_MOST) return 0;
    size_t number = data[0] % N_VOCABULARIES;
    tg_vocab *vocab = vocabularies[number];
    uint32_t seed = data[1] + 1u;
    int avx2 = vocab->has_avx2;
    data += 2;
    size -= 2;
    uint64_t whole = count(vocab, data, size, 0), cut = count(vocab, data, size, seed);
    vocab->has_avx2 = 0;
    uint64_t portable = count(vocab, data, size, 0), slow = count_slowly(number, data, size);
    vocab->has_avx2 = avx2;
    if (whole != cut || whole != portable || (slow != SIZE_MAX && whole != slow)) {
        fprintf(stderr, "%llu whole, %llu cut, %llu portable, %llu slow\n",
                (unsigned long long)whole, (unsigned long long)cut, (unsigned long long)portable,
                (unsigned long long)slow);
        abort();
    }
    return 0;
}

#ifdef TG_STANDALONE
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        size_t size;
        uint8_t *data = read_file(".", argv[i], "", &size);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    return 0;
}
#endif
