"""Registers that the law asks an operator to keep: breaches, agreements, attestations.

Rows are added and never changed or deleted; the database refuses both. What was filled in comes as
text, from a form or a command, and is looked at here field by field. Every addition is an audit
row in the same transaction.
"""

from gateway.platform.registers.agreements import Agreement, Agreements
from gateway.platform.registers.attestations import KINDS, Attestation, Attestations
from gateway.platform.registers.breaches import ACTS, Breach, Breaches, Duty, Update
from gateway.platform.registers.filled import Unfit

__all__ = [
    "ACTS",
    "KINDS",
    "Agreement",
    "Agreements",
    "Attestation",
    "Attestations",
    "Breach",
    "Breaches",
    "Duty",
    "Unfit",
    "Update",
]
