# Compiled: every request passes here.

cdef class _Call:
    cdef public object fn, future, result, error
    cdef public bint outside

    cpdef on_durable(self)


cdef class GroupWriter:
    cdef object _storage, _queue, _wake, _abandon, _thread
    cdef public object _flush, _connection  # tests let these fail
    cdef object _alarm, _loop
    cdef double _delay_s, _alarm_s, _window_start_s, _rate_per_s
    cdef bint _sleeping, _rousing, _due, _closing
    cdef long _since_checkpoint, _window_items
    cdef public bint healthy
    cdef public str fault
    cdef public long batches, items

    cpdef submit(self, object item, double patience_s=*)
    cpdef _ring(self)
    cpdef _rouse(self)
    cpdef list _take(self)
    cdef _wait(self)
    cdef _await_more(self)
    cdef _measure_rate(self, long taken)
    cdef _checkpoint(self)
    cdef bint _store(self, list batch) except -1
    cdef _transact(self, list batch, object failed)
    cdef _roll_back(self, object connection, object error)
    cdef _fail_call(self, _Call call, object error)
    cdef _report(self, object error, object failed)
    cdef _deliver(self, list batch)
    cpdef _announce(self, list batch)
