/* The numbers of a provider's usage report in its usual form: OpenAI's for chat and embeddings.
 *
 * Only a report that is plain in every respect is read: valid JSON in ASCII without escapes, whole
 * counts, no key of interest twice. Anything else is left to a slower reader, which decides. No
 * byte outside the report is read. This file must know nothing of Python or of what is believed. */
#ifndef TALLYGATE_USAGE_H
#define TALLYGATE_USAGE_H

#include <stddef.h>
#include <stdint.h>

enum { US_MAX_DEPTH = 16, US_MAX_DIGITS = 15, US_ABSENT = -1 };

typedef struct us_report { /* US_ABSENT where a count did not come or was null */
    int64_t prompt, completion;
    int64_t cached, written; /* of prompt_tokens_details */
    int64_t reasoning;       /* of completion_tokens_details */
    int64_t hit;             /* prompt_cache_hit_tokens, DeepSeek's name for cached tokens */
} us_report;

/* 1: read, and `prompt` is there; 0: not of the usual form, and `report` says nothing. */
int us_read(const uint8_t *json, size_t n, us_report *report);

#endif
