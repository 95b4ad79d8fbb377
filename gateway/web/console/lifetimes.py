"""How long links work and sessions last, in the units that pages and letters name.

Each is the very constant or setting that the software obeys, so that words and practice cannot
differ.
"""

from typing import Final, NamedTuple

from gateway.platform.accounts import addresses, entrance, sign_up
from gateway.platform.organisations import invitations

MINUTE_US: Final = 60 * 10**6
HOUR_US: Final = 3_600 * 10**6
DAY_US: Final = 86_400 * 10**6


class Lifetimes(NamedTuple):
    """Of the links in letters."""

    confirm_hours: int = sign_up.LINK_LIFETIME_US // HOUR_US
    reset_minutes: int = entrance.RESET_LIFETIME_US // MINUTE_US
    address_hours: int = addresses.LIFETIME_US // HOUR_US
    invitation_days: int = invitations.LIFETIME_US // DAY_US


LIFETIMES: Final = Lifetimes()
