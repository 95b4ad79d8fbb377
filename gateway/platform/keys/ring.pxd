# Compiled: every request passes here.

cdef class Key:
    cdef public object no, account, digest, expires_us, cache_ttl_s, scope
    cdef public bint revoked


cdef class KeyRing:
    cdef object _inner, _outer, _packed
    cdef dict _by_digest

    cpdef Key find(self, object token)
    cpdef Key by_digest(self, bytes digest)


cdef class Recall:
    cdef str _shown
    cdef Key _key
    cdef bytes _hops
    cdef long long _placed_until_us

    cpdef Key key_of(self, KeyRing ring, str shown)
    cpdef keep(self, str shown, Key key)
    cpdef bint is_placed(self, bytes hops, long long now_us) except -1
    cpdef place(self, bytes hops, long long until_us)
    cpdef forget(self)
