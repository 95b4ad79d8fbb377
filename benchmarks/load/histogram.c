/* Histograms of microseconds: 128 equal slots for every power of two, so a quantile is exact
 * below 128 us and within 0.8 % above; memory does not grow with the number of values.
 */
#include "client.h"
#include <stdio.h>

enum { SUB_BITS = 7, SUB = 1 << SUB_BITS };

static unsigned slot_of(uint64_t v) {
  if (v < SUB) return (unsigned)v;
  unsigned shift = 63u - (unsigned)__builtin_clzll(v) - SUB_BITS;
  return (shift + 1) * SUB + (unsigned)(v >> shift) - SUB;
}

static uint64_t middle_of(unsigned slot) {
  if (slot < SUB) return slot;
  unsigned shift = slot / SUB - 1;
  return ((uint64_t)(slot % SUB + SUB) << shift) + ((1ull << shift) >> 1);
}

void note(struct histogram *h, uint64_t value) {
  if (!h->n || value < h->min) h->min = value;
  if (value > h->max) h->max = value;
  h->n++;
  h->sum += value;
  h->slot[slot_of(value)]++;
}

uint64_t quantile(const struct histogram *h, double q) {
  uint64_t rank = (uint64_t)(q * (double)h->n), seen = 0;
  for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
    seen += h->slot[i];
    if (seen > rank) return middle_of(i) < h->max ? middle_of(i) : h->max;
  }
  return h->max;
}

void print_histogram(const char *name, const struct histogram *h) {
  if (!h->n) {
    printf(",\"%s\":null", name);
    return;
  }
  printf(",\"%s\":{\"n\":%llu,\"mean\":%.1f,\"min\":%llu,\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,"
         "\"p999\":%llu,\"max\":%llu}",
         name, (unsigned long long)h->n, (double)h->sum / (double)h->n, (unsigned long long)h->min,
         (unsigned long long)quantile(h, .5), (unsigned long long)quantile(h, .9),
         (unsigned long long)quantile(h, .99), (unsigned long long)quantile(h, .999),
         (unsigned long long)h->max);
}
