"""Organisations: a shared balance, the people who spend from it, and how much each may."""

from gateway.platform.organisations.desks import Desk, desk_of
from gateway.platform.organisations.invitations import Invitation, Invitations
from gateway.platform.organisations.members import Member, Organisation
from gateway.platform.organisations.organisations import Organisations
from gateway.platform.organisations.parts import PARTS, Part, part_may

__all__ = [
    "PARTS",
    "Desk",
    "Invitation",
    "Invitations",
    "Member",
    "Organisation",
    "Organisations",
    "Part",
    "desk_of",
    "part_may",
]
