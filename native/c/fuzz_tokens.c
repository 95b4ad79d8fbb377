/* Coverage-guided fuzzing of the counter: every way of counting a text must agree.
 *
 * Input: one byte choosing the vocabulary, one seeding the cuts, then the text, any bytes. Compared:
 * fed whole in bulk with AVX2, whole without, cut at random, and each piece by the prefix automaton.
 * Feeds come from buffers of their exact size, so the address sanitizer sees any over-read. With
 * libFuzzer this is a target; with -DTG_STANDALONE a program that runs the files named. The folder
 * of uncompressed vocabularies is TALLYGATE_VOCABULARIES (native/vocab/unpack.py writes it).
 */
#include "bpe_long.h"
#include "split.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {"o200k_base", "cl100k_base", "kimi_k2", "deepseek_v3",
                                    "qwen",       "tekken",      "glm4"};
#define N_VOCABULARIES (sizeof NAMES / sizeof *NAMES)
static tg_vocab *vocabularies[N_VOCABULARIES];

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

static void load_all(void) {
    const char *folder = getenv("TALLYGATE_VOCABULARIES");
    size_t classes_size, size;
    if (!folder) folder = "build/vocab/raw";
    uint8_t *classes = read_file(folder, "unicode", ".tgu", &classes_size);
    for (size_t i = 0; i < N_VOCABULARIES; i++) {
        uint8_t *data = read_file(folder, NAMES[i], ".tgv", &size);
        vocabularies[i] = tg_vocab_load(classes, classes_size, data, size);
        if (!vocabularies[i]) exit(2);
        free(data);
    }
    free(classes);
}

static void feed_copy(tg_counter *counter, const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) exit(2);
    memcpy(copy, data, size);
    tg_counter_feed(counter, copy, size);
    free(copy);
}

static uint64_t count(tg_vocab *vocab, const uint8_t *data, size_t size, uint32_t seed) {
    tg_counter counter;
    tg_counter_start(&counter, vocab);
    for (size_t at = 0; at < size;) {
        size_t part = size - at;
        if (seed) {
            seed = seed * 1664525u + 1013904223u;
            size_t most = (seed >> 16 & 3) == 0 ? 1 : (seed >> 16 & 3) == 1 ? 5 : 150;
            size_t want = 1 + (seed >> 20) % most;
            if (want < part) part = want;
        }
        feed_copy(&counter, data + at, part);
        at += part;
    }
    tg_counter_boundary(&counter);
    uint64_t tokens = counter.decided;
    tg_counter_clear(&counter);
    return tokens;
}

/* Piece by piece with the automaton alone; SIZE_MAX when the text is not valid UTF-8. */
static uint64_t count_slowly(tg_vocab *vocab, const uint8_t *data, size_t size) {
    uint64_t tokens = 0;
    for (size_t start = 0; start < size;) {
        tg_scan scan = {0, 0, 0, 0};
        int found = tg_scan_piece(vocab, data + start, size - start, &scan);
        if (found == TG_INVALID || (found == TG_MORE && scan.at != size - start)) return SIZE_MAX;
        size_t length = found == TG_PIECE ? tg_piece_size(&scan)
                                          : tg_scan_end(vocab, &scan, size - start);
        uint64_t quick = tg_count_piece(vocab, data + start, length);
        if (length > 15 && quick != tg_long_count(vocab, data + start, length) &&
            !vocab->n_literals)
            abort();
        tokens += quick;
        start += length;
    }
    return tokens;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!vocabularies[0]) load_all();
    if (size < 2) return 0;
    tg_vocab *vocab = vocabularies[data[0] % N_VOCABULARIES];
    uint32_t seed = data[1] + 1u;
    int avx2 = vocab->has_avx2;
    data += 2;
    size -= 2;
    uint64_t whole = count(vocab, data, size, 0), cut = count(vocab, data, size, seed);
    vocab->has_avx2 = 0;
    uint64_t portable = count(vocab, data, size, 0), slow = count_slowly(vocab, data, size);
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
