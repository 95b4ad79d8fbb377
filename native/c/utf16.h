/* Python's string storage (1, 2 or 4 bytes a character) to UTF-8, joining surrogate halves.
 *
 * As tiktoken does: a high half followed by a low half is one character, a lone half is U+FFFD.
 */
#ifndef TALLYGATE_UTF16_H
#define TALLYGATE_UTF16_H

#include <stddef.h>
#include <stdint.h>

#define TG_TRANSCODE_ROOM 8 /* most bytes one step writes: a lone half, then a character */

/* Write UTF-8 of `text[*at ..]`, `kind` bytes a character, until the text or the room ends; returns
 * the bytes written and moves `*at`. `*high` carries a high half across calls; 0: none. */
size_t tg_transcode(const void *text, int kind, size_t size, size_t *at, uint32_t *high,
                    uint8_t *out, size_t room);

#endif
