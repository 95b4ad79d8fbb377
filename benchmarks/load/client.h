/* The load client: shared types. A response is read by a small state machine (response.c) that
 * counts stamped pieces, their lateness, and whether the stream said [DONE]; figures go to
 * histograms of bounded size (histogram.c) with a relative error under 1 %.
 */
#ifndef TALLYGATE_CLIENT_H
#define TALLYGATE_CLIENT_H
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_SLOTS = 64 * 128 };
struct histogram { uint64_t n, sum, min, max, slot[HISTOGRAM_SLOTS]; };
void note(struct histogram *h, uint64_t value);
uint64_t quantile(const struct histogram *h, double q);
void print_histogram(const char *name, const struct histogram *h);

enum { MORE, WHOLE, BROKEN };
enum { HEAD_SIZE = 8192 };
struct response {
  int state, status, chunked, close_delimited, keep_alive, pieces, done;
  long long left;
  uint64_t first_us;           /* arrival of the first stamped piece, or of the first body byte */
  int stamp_digits, done_match, head_len;
  uint64_t stamp;
  char head[HEAD_SIZE];
};
struct lateness { struct histogram *histogram; int in_this_read; };

void expect_response(struct response *r);
int read_response(struct response *r, const char *bytes, size_t n, uint64_t now,
                  struct lateness *late);
int end_of_input(const struct response *r);
#endif
