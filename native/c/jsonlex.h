/* Byte-level kernels shared by the scanners: runs of string bytes, line ends, hex, UTF-8.
 *
 * Invariants: no function reads a byte at or after `end`; none allocates; none keeps state.
 * This file must know nothing of paths, events, requests or Python. Grammar: RFC 8259; UTF-8: RFC
 * 3629 (no surrogates, no overlong forms, nothing above U+10FFFF). SSE2 is part of x86-64; every
 * other machine takes the byte loops, which give the same answers. */
#ifndef TALLYGATE_JSONLEX_H
#define TALLYGATE_JSONLEX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define LEX_LIKELY(x) __builtin_expect(!!(x), 1)
#define LEX_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The first byte that a string cannot simply contain: a quote, a backslash, a control; or end. */
static inline const uint8_t *lex_string_run(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), top = _mm_set1_epi8(0x1f);
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(x, top), x));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
        p++;
    return p;
}

/* As lex_string_run, and stops at a byte >= 0x80 too: the caller then checks the UTF-8. */
static inline const uint8_t *lex_ascii_run(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* A signed comparison catches controls and, being negative, every byte >= 0x80 at once. */
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, slash));
        hit = _mm_or_si128(hit, _mm_cmplt_epi8(x, space));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x80)
        p++;
    return p;
}

/* The first CR or LF, or end. */
static inline const uint8_t *lex_line_end(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned mask = (unsigned)_mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(x, cr), _mm_cmpeq_epi8(x, lf)));
        if (mask)
            return p + __builtin_ctz(mask);
        p += 16;
    }
#endif
    while (p < end && *p != '\r' && *p != '\n')
        p++;
    return p;
}

static inline int lex_is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline int lex_is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

/* The value of a hexadecimal digit, or -1. */
static inline int lex_hex(uint8_t c)
{
    if (lex_is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character a two-byte escape stands for, or 0 when RFC 8259 has no such escape ('u' too). */
static inline uint8_t lex_escape(uint8_t c)
{
    switch (c) {
    case '"': case '\\': case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

/* Writes a code point as UTF-8 (a lone surrogate too, in its three-byte form); returns 1 to 4. */
static inline size_t lex_put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

static inline int lex_is_high(uint32_t unit) { return (unit & 0xFC00) == 0xD800; }
static inline int lex_is_low(uint32_t unit) { return (unit & 0xFC00) == 0xDC00; }

static inline uint32_t lex_join(uint32_t high, uint32_t low)
{
    return 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF);
}

/* The length (2 to 4) of the well-formed multi-byte sequence at p, or 0. */
static inline size_t lex_utf8_length(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);
    uint8_t a = p[0];
    if (a >= 0xE0 && a < 0xF0) {
        if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        uint32_t c = (uint32_t)(a & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        return c >= 0x800 && (c & 0xF800) != 0xD800 ? 3 : 0;
    }
    if (a >= 0xC2 && a < 0xE0)
        return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (a >= 0xF0 && a < 0xF5) {
        if (left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
            return 0;
        uint32_t c = (uint32_t)(a & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12;
        return c >= 0x10000 && c < 0x110000 ? 4 : 0;
    }
    return 0;
}

/* Four hexadecimal digits at p, or -1. */
static inline int32_t lex_unit_at(const uint8_t *p, const uint8_t *end)
{
    int32_t unit = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = lex_hex(p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

#endif
