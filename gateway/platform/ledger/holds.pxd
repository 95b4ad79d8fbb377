# Compiled: every request passes here.

cdef class Lot:
    cdef public object no, remaining_microusd
    cdef public long rank


cdef class Wallet:
    cdef public object account_no, balance_microusd, held_microusd, remainder_picousd
    cdef public list lots
    cdef object __weakref__

    cpdef take(self, object amount_microusd)


cdef class Charge:
    cdef public Wallet wallet
    cdef public object cost_picousd, parts, posted_microusd, overrun_microusd, remainder_picousd
    cdef public bint submitted


cdef class Hold:
    cdef public Wallet wallet
    cdef public object amount_microusd, ceilings
    cdef public bint resolved

    cpdef grow_to(self, object amount_microusd)
    cpdef settle(self, object cost_picousd)
    cpdef release(self)
    cdef _check_open(self)


cdef class Bank:
    cdef public dict wallets
    cdef object _known_lot_no, _credited
