"""Values that several operations answer with: money in both forms, times, limits.

Money is given twice: exact decimal dollars as text, and integer micro-dollars. Times are ISO 8601
in UTC to the second; what is absent is null.
"""

import time
from typing import Annotated

import msgspec

from gateway.base.money import format_usd

MAX_PAGE = 200
Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE, description="Rows of a page.")]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**62, description="`next` of the page before.")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Money(msgspec.Struct, frozen=True):
    """An amount: exact decimal dollars, and the same in micro-dollars."""

    usd: str
    microusd: int


def money(amount_microusd: int) -> Money:
    """An amount in both forms."""
    return Money(format_usd(amount_microusd), amount_microusd)


def moment(at_us: int | None) -> str | None:
    """Epoch microseconds as ISO 8601."""
    return None if at_us is None else written(at_us)


def written(at_us: int) -> str:
    """As `moment`, where there always is one."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_us // 1_000_000))
