/* Where a text may be cut so that each part can be brought to Unicode's form NFC by itself.
 *
 * A plain character is a starter that composes with nothing before it and is its own form (combining
 * class 0, NFC_Quick_Check "Yes"; Unicode Standard Annex 15, section 9.1): what stands before one is
 * normalized whatever follows. The others are a bit set, made by whoever knows the Unicode tables.
 */
#ifndef TALLYGATE_NORMAL_H
#define TALLYGATE_NORMAL_H

#include "split.h"

#define TG_NORMAL_POINTS 0x30000 /* every code point from here on is plain */
#define TG_NORMAL_BYTES (TG_NORMAL_POINTS / 8)
#define TG_HELD_MAX 256          /* bytes of one character and its marks kept together */

typedef struct {
    uint32_t size;
    uint32_t read; /* of the held, as tg_normal_find left off */
    int behind;
    uint8_t held[TG_HELD_MAX]; /* begins with a plain character, but at the text's start */
} tg_normal;

typedef struct {
    size_t cut;  /* start of the last plain character; what stands before can be normalized */
    size_t read; /* behind the last whole character */
    int before;  /* some character before the cut is not plain */
    int behind;  /* some character behind it is not */
} tg_normal_cut;

/* The first `read` bytes have been read before, and found to need no cut; `behind` as then found. */
static inline tg_normal_cut tg_normal_find(const uint8_t *marks, const uint8_t *text, size_t size,
                                           size_t read, int behind) {
    tg_normal_cut found = {0, read, 0, behind};
    for (size_t at = read; at < size; found.read = at) {
        uint32_t point = 0;
        int length = 1, plain = 1;
        if (text[at] >= 0x80) {
            length = tg_utf8_size(text + at, size - at, &point);
            if (!length) break;
            if (length < 0) length = -length; /* counted as U+FFFD, which is plain */
            else plain = point >= TG_NORMAL_POINTS || !(marks[point / 8] >> (point % 8) & 1);
        }
        if (plain) {
            found.cut = at;
            found.before |= found.behind;
            found.behind = 0;
        } else {
            found.behind = 1;
        }
        at += (size_t)length;
    }
    return found;
}

#endif
