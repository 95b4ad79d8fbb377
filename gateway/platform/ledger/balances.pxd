# Compiled: every request passes here.

cimport cython

from gateway.platform.ledger.holds cimport Charge

@cython.locals(charge=Charge)
cpdef apply_charges(object connection, object charges)
