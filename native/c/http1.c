/* HTTP/1.1 framing; see http1.h. Section numbers are those of RFC 9112. */
#define _GNU_SOURCE
#include "http1.h"

#include <string.h>

/* A token's characters (RFC 9110, 5.6.2), mapped to lower case; 0: not one. */
static const uint8_t TOKEN[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q',
    ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',
    ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l',
    ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's',
    ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z',
};

static int is_text(uint8_t c) /* field-content and the reason phrase: no control but tab */
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static int is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

size_t h1_head_length(const uint8_t *p, size_t n, size_t from)
{
    const uint8_t *end;
    from = from > 3 ? from - 3 : 0;
    if (n < 4 || from >= n)
        return 0;
    end = memmem(p + from, n - from, "\r\n\r\n", 4);
    return end ? (size_t)(end - p) + 4 : 0;
}

int h1_named(const uint8_t *p, h1_span name, const char *lower, size_t len)
{
    if (name.len != len)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (TOKEN[p[name.start + i]] != (uint8_t)lower[i])
            return 0;
    return 1;
}

int64_t h1_number(const uint8_t *p, h1_span value)
{
    int64_t number = 0;
    if (value.len == 0 || value.len > 16)
        return -1;
    for (uint32_t i = 0; i < value.len; i++) {
        uint8_t c = p[value.start + i];
        if (c < '0' || c > '9')
            return -1;
        number = number * 10 + (c - '0');
    }
    return number <= ((int64_t)1 << 53) ? number : -1;
}

const char *h1_headers(const uint8_t *p, size_t n, size_t at, h1_head *head)
{
    head->first = (uint32_t)at;
    head->count = 0;
    for (;;) {
        size_t start = at, end;
        if (n - at < 2)
            return "the head is not whole";
        if (p[at] == '\r')
            return p[at + 1] == '\n' && at + 2 == n ? 0 : "a stray carriage return";
        while (at < n && TOKEN[p[at]])
            at++;
        if (at == start || at == n || p[at] != ':') /* also a folded line, 5.2 */
            return "a header's name is malformed";
        if (head->count == H1_MAX_HEADERS)
            return "too many headers";
        head->name[head->count] = (h1_span){(uint32_t)start, (uint32_t)(at - start)};
        at++;
        while (at < n && is_space(p[at]))
            at++;
        start = at;
        while (at < n && is_text(p[at]))
            at++;
        if (n - at < 2 || p[at] != '\r' || p[at + 1] != '\n')
            return "a header's value is malformed";
        end = at;
        while (end > start && is_space(p[end - 1]))
            end--;
        head->value[head->count++] = (h1_span){(uint32_t)start, (uint32_t)(end - start)};
        at += 2;
    }
}

static int value_is(const uint8_t *p, h1_span value, const char *lower)
{
    size_t len = strlen(lower);
    return h1_named(p, value, lower, len);
}

/* Whether a comma-separated list has this member (RFC 9110, 5.6.1). */
static int lists(const uint8_t *p, h1_span value, const char *lower)
{
    uint32_t at = value.start, stop = value.start + value.len;
    while (at < stop) {
        uint32_t end = at;
        h1_span member;
        while (end < stop && p[end] != ',')
            end++;
        member = (h1_span){at, end - at};
        while (member.len && is_space(p[member.start]))
            member.start++, member.len--;
        while (member.len && is_space(p[member.start + member.len - 1]))
            member.len--;
        if (value_is(p, member, lower))
            return 1;
        at = end + 1;
    }
    return 0;
}

/* How the body is framed (6.3), from the headers. */
static const char *framing(const uint8_t *p, const h1_head *head, int minor, h1_answer *answer)
{
    int64_t length = -1;
    int chunked = 0, close = 0, keep = 0;
    for (uint32_t i = 0; i < head->count; i++) {
        h1_span name = head->name[i], value = head->value[i];
        if (h1_named(p, name, "content-length", 14)) {
            int64_t number = h1_number(p, value);
            if (number < 0 || (length >= 0 && length != number))
                return "the length is not one number";
            length = number;
        } else if (h1_named(p, name, "transfer-encoding", 17)) {
            if (chunked || minor == 0 || !value_is(p, value, "chunked"))
                return "the transfer coding is not known";
            chunked = 1;
        } else if (h1_named(p, name, "connection", 10)) {
            close |= lists(p, value, "close");
            keep |= lists(p, value, "keep-alive");
        }
    }
    if (chunked && length >= 0)
        return "a length stands beside a transfer coding";
    answer->keep_alive = !close && (minor == 1 || keep);
    answer->body = (h1_body){.state = H1_TO_CLOSE};
    if (answer->status == 204 || answer->status == 304 || length == 0)
        answer->body.state = H1_DONE;
    else if (chunked)
        answer->body.state = H1_SIZE;
    else if (length > 0)
        answer->body = (h1_body){.state = H1_BODY, .left = (uint64_t)length};
    else
        answer->keep_alive = 0;
    return 0;
}

const char *h1_response(const uint8_t *p, size_t n, h1_head *head, h1_answer *answer)
{
    const char *wrong;
    size_t at = 12;
    int minor;
    if (n < 15 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
        return "not an HTTP/1 answer";
    minor = p[7] - '0';
    for (int i = 9; i < 12; i++)
        if (p[i] < '0' || p[i] > '9')
            return "the status is not a number";
    answer->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
    if (answer->status < 100 || (p[at] != ' ' && p[at] != '\r'))
        return "the status line is malformed";
    while (at < n && is_text(p[at]))
        at++;
    if (n - at < 2 || p[at] != '\r' || p[at + 1] != '\n')
        return "the status line is malformed";
    wrong = h1_headers(p, n, at + 2, head);
    if (wrong)
        return wrong;
    if (answer->status < 200) {
        answer->body = (h1_body){.state = H1_HEAD};
        return answer->status == 101 ? "an upgrade that was not asked for" : 0;
    }
    return framing(p, head, minor, answer);
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The state after one byte of framing; `left` and `digits` change with a size's digits. */
static uint8_t step(h1_body *b, uint8_t c)
{
    int digit;
    switch (b->state) {
    case H1_SIZE:
        digit = hex(c);
        if (digit >= 0) {
            if (b->digits++ == 15)
                return H1_FAILED;
            b->left = b->left << 4 | (uint64_t)digit;
            return H1_SIZE;
        }
        if (b->digits == 0)
            return H1_FAILED;
        /* fallthrough */
    case H1_PAD: /* 7.1.1: white space is allowed before an extension; some servers pad sizes */
        if (c == '\r')
            return H1_SIZE_LF;
        if (c == ';')
            return H1_EXTENSION;
        return is_space(c) ? H1_PAD : H1_FAILED;
    case H1_EXTENSION:
        return c == '\r' ? H1_SIZE_LF : is_text(c) ? H1_EXTENSION : H1_FAILED;
    case H1_SIZE_LF:
        if (c != '\n')
            return H1_FAILED;
        b->digits = 0;
        return b->left ? H1_CHUNK : H1_TRAILER;
    case H1_CHUNK_CR:
        return c == '\r' ? H1_CHUNK_LF : H1_FAILED;
    case H1_CHUNK_LF:
        return c == '\n' ? H1_SIZE : H1_FAILED;
    case H1_TRAILER:
        return c == '\r' ? H1_LAST_LF : TOKEN[c] ? H1_TRAILER_IN : H1_FAILED;
    case H1_TRAILER_IN:
        return c == '\r' ? H1_TRAILER_LF : is_text(c) ? H1_TRAILER_IN : H1_FAILED;
    case H1_TRAILER_LF:
        return c == '\n' ? H1_TRAILER : H1_FAILED;
    case H1_LAST_LF:
        return c == '\n' ? H1_DONE : H1_FAILED;
    default:
        return H1_FAILED;
    }
}

size_t h1_next(h1_body *b, const uint8_t *p, size_t n, size_t *len)
{
    size_t at = 0, room;
    *len = 0;
    while (at < n) {
        switch (b->state) {
        case H1_DONE:
        case H1_FAILED:
            return at;
        case H1_TO_CLOSE:
            *len = n - at;
            return n;
        case H1_BODY:
        case H1_CHUNK:
            room = n - at;
            if (room < b->left) {
                b->left -= room;
            } else {
                room = (size_t)b->left;
                b->left = 0;
                b->state = b->state == H1_BODY ? H1_DONE : H1_CHUNK_CR;
            }
            b->overhead = 0;
            *len = room;
            return at + room;
        default:
            b->state = step(b, p[at++]);
            b->overhead++;
        }
    }
    return at;
}

uint8_t *h1_size_line(uint8_t *end, size_t size)
{
    *--end = '\n';
    *--end = '\r';
    for (; size; size >>= 4)
        *--end = (uint8_t)"0123456789abcdef"[size & 15];
    return end;
}

size_t h1_lone_chunk(h1_body *b, const uint8_t *p, size_t n, size_t *len)
{
    size_t at = 0, size = 0;
    int digit;
    if (b->state != H1_SIZE || b->digits || n < 7 || p[0] == '0')
        return 0;
    for (; at < 7 && (digit = hex(p[at])) >= 0; at++)
        size = size << 4 | (size_t)digit;
    if ( size + at + 4 != n || p[at] != '\r' || p[at + 1] != '\n' || p[n - 2] != '\r'
        || p[n - 1] != '\n')
        return 0;
    b->overhead = 2; /* the line end after the data */
    *len = size;
    return at + 2;
}
