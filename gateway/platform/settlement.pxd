# Compiled: every request passes here.

cimport cython

from gateway.platform.ledger.holds cimport Bank, Charge
from gateway.store.writer cimport GroupWriter


cdef class _Pending:
    cdef Settlements _settlements
    cdef object _tell
    cdef public Charge charge
    cdef public object row
    cdef public bint refused

    cpdef on_durable(self)


cdef class Settlements:
    cdef Bank _bank
    cdef GroupWriter _writer
    cdef object _clock
    cdef long _max_pending
    cdef public long pending, refused

    cpdef submit(self, Charge charge, object row, object on_durable, double patience_s=*)
    cdef _finished(self, _Pending item)
    @cython.locals(item=_Pending, charge=Charge)
    cpdef _flush(self, object connection, object items, object failed)
