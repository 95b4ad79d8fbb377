# distutils: sources = native/c/pump.c native/c/pump_turn.c native/c/http1.c
"""Carries running streams on a thread that never asks for the interpreter.

While a stream's lane is away, bytes go from provider to client at the cost of two system calls and
the meter, whatever else this process is doing; at its end, and at everything that must be decided,
the lane comes home and the relay goes on where it stopped. What is carried is what the relay would
write, byte for byte but for how it is cut into chunks. The work is native/c/pump.h's. It must know
nothing of models, money or who the client is.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from gateway._native.http1 cimport H1_DONE, Relay, framed, h1_body
from gateway._native.sse cimport StreamMeter


cdef extern from "http1.h" nogil:
    enum:
        H1_HEAD
        H1_FAILED


cdef extern from "pump.h" nogil:
    enum:
        PUMP_LOST
    int pump_try(pump_thread *)
    void pump_enter(pump_thread *)
    void pump_leave(pump_thread *)
    pump_thread *pump_open()
    void pump_close(pump_thread *)
    void pump_run(pump_thread *)
    void pump_stop(pump_thread *)
    int pump_descriptor(const pump_thread *)
    int pump_add(pump_thread *, pump_lane *)
    void pump_take(pump_thread *, pump_lane *)
    pump_lane *pump_next(pump_thread *)
    void pump_clear(pump_lane *)


# What the meter cannot pass in one go comes home untouched: code 0, SSE_MORE, with nothing used.
cdef int pass_on(void *meter, const uint8_t *p, size_t n, size_t *used) noexcept nogil:
    used[0] = 0
    if not (<StreamMeter>meter).is_plain(n):
        return 0
    return (<StreamMeter>meter).pass_on(p, n, used)  # its PASSED is PUMP_PASSED


cdef int64_t counted(void *meter) noexcept nogil:
    return (<StreamMeter>meter).total()


cdef class Pump:
    """The thread's work, and the lanes it carries; see pump.pyi."""

    def __cinit__(self, int loop_epoll=-1):
        self.loop_epoll = loop_epoll
        self.handle = pump_open()
        if self.handle is NULL:
            raise OSError("this system has no epoll, or no descriptor to spare")

    def __dealloc__(self):
        if self.handle is not NULL:
            pump_close(self.handle)

    def run(self):
        with nogil:
            pump_run(self.handle)

    def stop(self):
        with nogil:
            pump_stop(self.handle)

    @property
    def descriptor(self):
        return pump_descriptor(self.handle)

    def returned(self):
        cdef pump_lane *lane
        found = []
        while True:
            self.enter()
            lane = pump_next(self.handle)
            pump_leave(self.handle)
            if lane is NULL:
                return found
            (<Lane>lane.owner).returned = True
            found.append((<Lane>lane.owner).owner)

    # The thread may want the interpreter within its turn (the first text of a choice), so the lock
    # is never waited for with the interpreter's own held.
    cdef void enter(self) noexcept:
        if not pump_try(self.handle):
            with nogil:
                pump_enter(self.handle)


cdef class Lane:
    """One stream's way through the pump; see pump.pyi."""

    def __init__(self, Pump pump not None, Relay relay not None, owner):
        self.pump = pump
        self.relay = relay
        self.owner = owner

    def __dealloc__(self):
        pump_clear(&self.lane)

    cpdef bint start(self, int provider, int client) except -1:
        cdef Relay relay = self.relay
        cdef StreamMeter meter = relay.meter
        cdef h1_body *body = &relay.reader.answer.body
        if self.away or meter.withheld is not None or not meter.may_lend():
            return False
        if body.state == H1_HEAD or body.state == H1_DONE or body.state == H1_FAILED:
            return False
        self.lane.body = body
        self.lane.pass_on = pass_on
        self.lane.count = counted
        self.lane.meter = <void *>meter
        self.lane.owner = <void *>self
        self.lane.provider = provider
        self.lane.client = client
        self.lane.elsewhere = self.pump.loop_epoll
        self.lane.stop_at = relay.grow_at
        self.lane.reads = 0
        self.lane.counted = meter.total()
        self.lane.last_size = 0
        self.lane.extra = self.lane.broken = 0
        meter.lend(True)
        self.pump.enter()
        self.away = pump_add(self.pump.handle, &self.lane) != 0
        pump_leave(self.pump.handle)
        if not self.away:
            meter.lend(False)
            return False
        relay.carried = &self.lane.reads
        relay.carried_count = &self.lane.counted
        relay.carried_stop = &self.lane.stop_at
        relay.carried_before = 0
        return True

    @property
    def broken(self):
        return bool(self.lane.broken)

    cpdef take(self):
        cdef Relay relay = self.relay
        if not self.away:
            return
        if not self.returned:
            self.pump.enter()
            pump_take(self.pump.handle, &self.lane)
            pump_leave(self.pump.handle)
        self.away = False
        relay.meter.lend(False)
        relay.reads += <long long>(self.lane.reads - relay.carried_before)
        relay.carried = NULL
        relay.carried_count = NULL
        relay.carried_stop = NULL
        if self.lane.last_size:
            relay.told = PyBytes_FromStringAndSize(<char *>self.lane.last, self.lane.last_size)
            relay.sent = None

    cpdef bytes settle(self):
        cdef Relay relay = self.relay
        cdef StreamMeter meter = relay.meter
        cdef uint8_t *left = self.lane.left
        cdef bytes piece, out, rest = None
        relay.reader.news = False
        if self.lane.unsent:
            relay.write(PyBytes_FromStringAndSize(<char *>left, self.lane.unsent))
            left += self.lane.unsent
        if self.lane.piece:
            piece = PyBytes_FromStringAndSize(<char *>left, self.lane.piece)
            left += self.lane.piece
            out = meter.go_on(piece, self.lane.code, self.lane.used)
            if out is not None:
                relay.told = out
                relay.sent = None
                relay.write(framed(out))
        if self.lane.rest:
            rest = PyBytes_FromStringAndSize(<char *>left, self.lane.rest)
        pump_clear(&self.lane)
        if self.lane.why == PUMP_LOST:
            relay.reader.fail("there was no memory to read it")
        else:
            relay.reader.note_framing(self.lane.extra or rest is not None)
        return None if relay.reader.news else rest
