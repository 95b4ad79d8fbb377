# Part of http1.pyx: what carries a running stream, here and by its lane (pump.pyx).

# What a lane's thread and its owner share without a lock: one number each, in no order.
cdef extern from *:
    """
    #define tg_load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
    #define tg_store(p, value) __atomic_store_n(p, value, __ATOMIC_RELAXED)
    """
    long long tg_load(const void *) nogil
    void tg_store(int64_t *, int64_t) nogil


cdef bytes framed(bytes data):
    cdef uint8_t room[H1_MAX_SIZE_LINE]
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef uint8_t *line = h1_size_line(room + H1_MAX_SIZE_LINE, size)
    cdef Py_ssize_t head = room + H1_MAX_SIZE_LINE - line
    cdef bytes out = PyBytes_FromStringAndSize(NULL, head + size + 2)
    cdef char *p = PyBytes_AS_STRING(out)
    memcpy(p, line, head)
    memcpy(p + head, PyBytes_AS_STRING(data), size)
    memcpy(p + head + size, b"\r\n", 2)
    return out


cdef class Relay:
    """Carries a stream from provider to client in one call a read; see http1.pyi."""

    def __init__(
        self, ResponseReader reader not None, StreamMeter meter not None, write, *,
        long long grow_at, bytes last
    ):
        self.reader = reader
        self.meter = meter
        self.write = write
        self.reads = 0
        self.grow_at = grow_at
        self.told = last

    cpdef long long take_reads(self):
        cdef long long reads = self.reads
        cdef uint64_t carried
        self.reads = 0
        if self.carried != NULL:
            carried = <uint64_t>tg_load(self.carried)
            reads += <long long>(carried - self.carried_before)
            self.carried_before = carried
        return reads

    cpdef long long counted(self):
        if self.carried_count != NULL:
            return tg_load(self.carried_count)
        return self.meter.total()

    cpdef look_again_at(self, long long tokens):
        self.grow_at = tokens
        if self.carried_stop != NULL:
            tg_store(self.carried_stop, tokens)

    @property
    def last(self):
        """What the client was sent last, framing aside; made when it is asked for."""
        if self.sent is not None:
            self.told = self.sent[self.sent_from:self.sent_from + self.sent_size]
            self.sent = None
        return self.told

    cpdef bint feed(self, bytes data) except -1:
        if data is None:
            raise TypeError("bytes are needed")
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t size = 0, used = 0
        cdef size_t at = h1_lone_chunk(
            &self.reader.answer.body, p, PyBytes_GET_SIZE(data), &size
        )
        cdef int code
        cdef bytes body, out = None
        self.reads += 1
        if at == 0:
            body = self.reader.feed(data)
            if body is not None:
                out = self.meter.feed(body)
        elif not self.meter.is_plain(size):
            self.reader.news = False
            out = self.meter.feed(data[at:at + size])
        else:
            self.reader.news = False
            code = self.meter.pass_on(p + at, size, &used)
            if code != PASSED:
                out = self.meter.go_on(data[at:at + size], code, used)
            else:  # one chunk whose bytes all go on: in the provider's own framing
                self.sent = data
                self.sent_from = at
                self.sent_size = size
                self.write(data)
        if out is not None:
            self.told = out
            self.sent = None
            self.write(framed(out))
        return self.is_quiet()

    cpdef bint away(self) noexcept:
        return self.carried != NULL

    cpdef bint is_quiet(self) noexcept:
        return not (
            self.reader.news
            or self.meter.total() >= self.grow_at
            or self.meter.events_scan.done
            or self.meter.too_large
        )
