#include "utf16.h"

static size_t put(uint8_t *out, uint32_t point) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xC0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xE0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (point & 0x3F));
    return 4;
}

size_t tg_transcode(const void *text, int kind, size_t size, size_t *at, uint32_t *high,
                    uint8_t *out, size_t room) {
    size_t written = 0, i = *at;
    for (; i < size && written + TG_TRANSCODE_ROOM <= room; i++) {
        uint32_t point = kind == 1   ? ((const uint8_t *)text)[i]
                         : kind == 2 ? ((const uint16_t *)text)[i]
                                     : ((const uint32_t *)text)[i];
        if (*high) {
            if (point >= 0xDC00 && point <= 0xDFFF) {
                written += put(out + written, 0x10000 + ((*high - 0xD800) << 10) + (point - 0xDC00));
                *high = 0;
                continue;
            }
            written += put(out + written, 0xFFFD);
            *high = 0;
        }
        if (point >= 0xD800 && point <= 0xDBFF) {
            *high = point;
            continue;
        }
        if (point >= 0xDC00 && point <= 0xDFFF) point = 0xFFFD;
        written += put(out + written, point);
    }
    *at = i;
    return written;
}
