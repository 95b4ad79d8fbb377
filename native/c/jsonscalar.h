/* Numbers, literals and what is nested too deep: the plain states of the incremental scanner.
 *
 * Included by jsonscan.c alone. */
#ifndef TALLYGATE_JSONSCALAR_H
#define TALLYGATE_JSONSCALAR_H

#include "jsonstate.h"

static inline int number_is_whole(const js_scan *j)
{
    return j->number == ZERO || j->number == INTEGER || j->number == FRACTION || j->number == POWER;
}

static inline void end_number(js_scan *j, const uint8_t *p)
{
    if (j->track_number && (j->number == ZERO || j->number == INTEGER)) {
        j->index = j->number_value;
        js_settle(j, JS_HAVE_INDEX);
    }
    end_value(j, p);
}

/* The digits of a number; leading zeros are refused as RFC 8259 wants. */
static inline const uint8_t *digits(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    static const uint8_t next[] = {INTEGER, BAD, INTEGER, FRACTION, FRACTION, POWER, POWER, POWER};
    if (j->number == ZERO)
        return bad(j, p, end);
    j->number = j->number == MINUS && *p == '0' ? ZERO : next[j->number];
    do {
        /* Beyond a million there is no choice; the bound only keeps the arithmetic defined. */
        if (j->number_value < 1000000)
            j->number_value = j->number_value * 10 + (*p & 15);
        p++;
    } while (p < end && lex_is_digit(*p) && j->number != ZERO);
    return p;
}

static inline const uint8_t *in_number(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (lex_is_digit(*p)) {
            p = digits(j, p, end);
            if (j->state == BAD)
                return end;
            continue;
        }
        if (*p == '.' && (j->number == ZERO || j->number == INTEGER)) {
            j->number = POINT;
        } else if ((*p | 0x20) == 'e' && number_is_whole(j) && j->number != POWER) {
            j->number = EXPONENT;
        } else if ((*p == '-' || *p == '+') && j->number == EXPONENT) {
            j->number = SIGN;
        } else if (number_is_whole(j)) {
            end_number(j, p);
            return p;
        } else {
            return bad(j, p, end);
        }
        p++;
    }
    return p;
}

static inline const uint8_t *in_literal(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    while (p < end && j->literal[j->literal_at]) {
        if (*p != (uint8_t)j->literal[j->literal_at++])
            return bad(j, p, end);
        p++;
    }
    if (!j->literal[j->literal_at])
        end_value(j, p);
    return p;
}

static inline const uint8_t *in_opaque(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    for (; p < end; p++) {
        if (*p == '"') {
            j->state = OPAQUE_STRING;
            return p + 1;
        }
        if (*p == '{' || *p == '[') {
            j->opaque++;
        } else if ((*p == '}' || *p == ']') && --j->opaque == 0) {
            end_value(j, p + 1);
            return p + 1;
        }
    }
    return p;
}

static inline const uint8_t *in_opaque_string(js_scan *j, const uint8_t *p, const uint8_t *end)
{
    p = lex_string_run(p, end);
    if (p == end)
        return p;
    j->state = *p == '"' ? OPAQUE : *p == '\\' ? OPAQUE_ESCAPE : OPAQUE_STRING;
    return p + 1;
}

#endif
